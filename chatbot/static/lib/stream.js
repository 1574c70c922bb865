/**
 * Server-sent events over fetch, because EventSource cannot send an Authorization header and
 * a token in a URL ends up in logs. Parsing follows the WHATWG HTML standard, section 9.2.
 */

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 20_000;
/** The server sends a heartbeat every 15 s; two missed and a bit means the line is dead. */
const SILENCE_MS = 40_000;
/** Answers to the request itself that trying again cannot mend. */
const FINAL = new Set([400, 401, 403, 404, 410]);

/** Turns chunks of text into {event, data, id}; a chunk may end anywhere, also inside CRLF. */
export class EventParser {
  #buffer = "";
  #data = [];
  #event = "";
  #id = null;

  feed(chunk) {
    this.#buffer += chunk;
    const events = [];
    for (;;) {
      const match = /\r\n|\n|\r/.exec(this.#buffer);
      if (!match) break;
      // A lone CR at the end may be half of a CRLF: wait for the next chunk.
      if (match[0] === "\r" && match.index === this.#buffer.length - 1) break;
      const line = this.#buffer.slice(0, match.index);
      this.#buffer = this.#buffer.slice(match.index + match[0].length);
      const event = this.#line(line);
      if (event) events.push(event);
    }
    return events;
  }

  #line(line) {
    if (line === "") {
      const done = this.#data.length
        ? { event: this.#event || "message", data: this.#data.join("\n"), id: this.#id }
        : null;
      this.#data = [];
      this.#event = "";
      this.#id = null;
      return done;
    }
    if (line.startsWith(":")) return null;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }
}

/**
 * A stream that stays connected until `close()`.
 *
 * onEvent({event, data, id}) receives parsed JSON; onState("connecting" | "open" | "waiting")
 * tells the line's state; onDenied(status) ends it: the credentials or the address are wrong.
 */
export class EventStream {
  #controller = null;
  #closed = false;
  #failures = 0;
  #wake = null;

  constructor({ url, headers, lastId = null, onEvent, onState = () => {}, onDenied = () => {} }) {
    Object.assign(this, { url, headers, lastId, onEvent, onState, onDenied });
    this.wakeUp = () => this.#wake?.();
    window.addEventListener("online", this.wakeUp);
    this.#run();
  }

  close() {
    this.#closed = true;
    window.removeEventListener("online", this.wakeUp);
    this.#controller?.abort();
    this.#wake?.();
  }

  async #run() {
    while (!this.#closed) {
      let wait = null;
      try {
        wait = await this.#connect();
      } catch (error) {
        if (this.#closed) return;
        if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
      }
      if (this.#closed) return;
      this.onState("waiting");
      await this.#sleep(wait ?? this.#backoff());
    }
  }

  /** Full jitter: a restarted server is not met by every widget at the same moment. */
  #backoff() {
    const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#failures);
    this.#failures += 1;
    return FIRST_DELAY_MS / 2 + Math.random() * ceiling;
  }

  #sleep(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    }).finally(() => (this.#wake = null));
  }

  async #connect() {
    this.onState("connecting");
    this.#controller = new AbortController();
    const { signal } = this.#controller;
    const headers = { Accept: "text/event-stream", ...this.headers() };
    if (this.lastId !== null) headers["Last-Event-ID"] = String(this.lastId);
    const response = await fetch(this.url, { headers, signal, cache: "no-store" });
    if (FINAL.has(response.status)) {
      this.close();
      this.onDenied(response.status);
      return null;
    }
    if (!response.ok || !response.body) {
      const after = Number(response.headers.get("Retry-After"));
      return after > 0 ? after * 1000 : null;
    }
    this.onState("open");
    let watchdog = null;
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => this.#controller.abort(), SILENCE_MS);
    };
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new EventParser();
    try {
      for (;;) {
        alive();
        const { value, done } = await reader.read();
        if (done) return null;
        this.#failures = 0;
        for (const event of parser.feed(value)) this.#deliver(event);
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  #deliver({ event, data, id }) {
    if (this.#closed) return;
    let parsed;
    try {
      parsed = JSON.parse(data);
    } catch {
      console.warn(`deskgate: event "${event}" without readable data was skipped`);
      return;
    }
    if (id) this.lastId = id;
    this.onEvent({ event, data: parsed, id: id === null ? null : Number(id) });
  }
}
