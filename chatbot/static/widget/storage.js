/**
 * What a browser remembers of a conversation, shared by all tabs of a site:
 * {id, token, expires_at, company, seen, outbox}. Message text is not kept, save for an unsent
 * message. Where storage is refused (private windows), memory serves for as long as the page.
 */
export class ConversationStorage {
  #memory = null;

  constructor(api, key) {
    this.name = `deskgate:${api}:${key}`;
  }

  read() {
    try {
      const record = JSON.parse(localStorage.getItem(this.name));
      return record && record.id && record.token ? record : null;
    } catch {
      return this.#memory;
    }
  }

  write(record) {
    this.#memory = record;
    try {
      localStorage.setItem(this.name, JSON.stringify(record));
    } catch {
      // Refused or full: the record in memory keeps this page going.
    }
  }

  /** Changes fields of the record, unless another tab has moved on to another conversation. */
  update(id, change) {
    const record = this.read();
    if (record?.id === id) this.write({ ...record, ...change(record) });
  }

  forget(id) {
    if (this.read()?.id !== id) return;
    this.#memory = null;
    try {
      localStorage.removeItem(this.name);
    } catch {
      // Nothing was stored in the first place.
    }
  }

  /** Runs `work` in one tab at a time, so that two tabs never start two conversations. */
  async exclusively(work) {
    return navigator.locks ? navigator.locks.request(this.name, work) : work();
  }

  /** Calls back with the other tab's record. Returns the function that stops listening. */
  onOtherTab(callback) {
    const listener = (event) => {
      if (event.key === this.name) callback(this.read());
    };
    window.addEventListener("storage", listener);
    return () => window.removeEventListener("storage", listener);
  }
}
