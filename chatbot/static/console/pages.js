/**
 * A long list of the server's, of which only the pages in view are here.
 *
 * `rows` is sparse: rows[i] is missing until its page has come. `total` is the list's length.
 * A refresh asks again for the pages in view and forgets the others, so that a queue of 5,000
 * costs as much as one of 100.
 */
const PAGE = 100;

export class Pages {
  rows = [];
  total = 0;
  #epoch = 0;
  #asked = new Set();

  /** fetchPage(offset, limit) -> {items, total}; onPage(answer) runs after each. */
  constructor({ fetchPage, onPage, onError }) {
    Object.assign(this, { fetchPage, onPage, onError });
  }

  get whole() {
    return this.total <= PAGE;
  }

  /** Everything anew, beginning with what is in view. Resolves when that is here. */
  async refresh(first = 0, last = 0) {
    const epoch = (this.#epoch += 1);
    const numbers = pagesOf(first, Math.max(first, last));
    this.#asked = new Set(numbers);
    try {
      const answers = await Promise.all(numbers.map((n) => this.fetchPage(n * PAGE, PAGE)));
      if (epoch !== this.#epoch) return;
      this.rows = [];
      answers.forEach((answer, i) => this.#keep(numbers[i], answer));
      this.onPage(answers[0]);
    } catch (error) {
      if (epoch === this.#epoch) this.onError(error);
    }
  }

  /** Sees to it that rows first … last come. */
  async need(first, last) {
    const epoch = this.#epoch;
    for (const number of pagesOf(first, last)) {
      if (this.#asked.has(number)) continue;
      this.#asked.add(number);
      try {
        const answer = await this.fetchPage(number * PAGE, PAGE);
        if (epoch !== this.#epoch) return;
        this.#keep(number, answer);
        this.onPage(answer);
      } catch (error) {
        if (epoch !== this.#epoch) return;
        this.#asked.delete(number);
        this.onError(error);
        return;
      }
    }
  }

  #keep(number, { items, total }) {
    this.total = total;
    items.forEach((item, i) => (this.rows[number * PAGE + i] = item));
    this.rows.length = Math.max(total, number * PAGE + items.length);
  }

  /** Takes a row out that is known to be gone, before the server has said so. */
  drop(id) {
    const at = this.rows.findIndex((row) => row?.id === id);
    if (at < 0) return;
    this.rows.splice(at, 1);
    this.total -= 1;
  }
}

function pagesOf(first, last) {
  const from = Math.floor(first / PAGE);
  return Array.from({ length: Math.floor(last / PAGE) - from + 1 }, (_, i) => from + i);
}
