/**
 * One visitor's conversation with the server: starting, resuming, sending exactly once,
 * listening. It knows nothing of the page; it reports through `handlers`:
 * onCompany, onConsent, onHistory, onEvent, onLine, onOutgoing, onRenewed.
 */
import { randomId } from "../lib/dom.js";
import { HttpError, requestJson } from "../lib/http.js";
import { EventStream } from "../lib/stream.js";
import { ConversationStorage } from "./storage.js";

/** Pauses between attempts of one message, all with the same Idempotency-Key. */
const RESEND_AFTER_MS = [800, 2000, 5000, 10_000];
/** A Retry-After up to this long is waited for in silence; a longer one is shown. */
const PATIENCE_S = 10;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Session {
  #record = null;
  #stream = null;
  #starting = null;
  #renewing = null;
  #queue = Promise.resolve();
  #underway = new Set();

  constructor({ api, key, start = {}, handlers }) {
    Object.assign(this, { api, key, startBody: start, handlers });
    this.storage = new ConversationStorage(api, key);
    this.stopListening = this.storage.onOtherTab((record) => this.#otherTab(record));
  }

  get id() {
    return this.#record?.id ?? null;
  }

  get company() {
    return this.#record?.company ?? null;
  }

  get seen() {
    return this.storage.read()?.seen ?? 0;
  }

  destroy() {
    this.stopListening();
    this.#stream?.close();
    this.#stream = null;
  }

  /** Resumes the stored conversation; an expired one is dropped in silence, and none is started:
   * a page that is only looked at costs no conversation. */
  async resume() {
    if (!this.storage.read() || this.#starting) return;
    await this.#begin(true).catch((error) => {
      if (error.status === 0 || error.passing) throw error;
    });
  }

  /** Resumes the stored conversation or starts one; idempotent. */
  start() {
    return this.#begin(false);
  }

  #begin(resumeOnly) {
    this.#starting ??= this.storage
      .exclusively(() => this.#open(resumeOnly))
      .then(() => this.#flushOutbox())
      .catch((error) => {
        this.#starting = null;
        throw error;
      });
    return this.#starting;
  }

  async #open(resumeOnly) {
    const stored = this.storage.read();
    if (stored) {
      this.#adopt(stored);
      try {
        return await this.#load();
      } catch (error) {
        if (![401, 403, 404, 410].includes(error.status)) throw error;
        this.storage.forget(stored.id);
        if (resumeOnly && !stored.outbox?.length) throw error;
        this.handlers.onRenewed("expired");
        return this.#create(stored.outbox);
      }
    }
    return this.#create();
  }

  async #create(outbox = []) {
    const created = await requestJson(this.#url("v1/conversations"), {
      method: "POST",
      token: this.key,
      body: this.startBody,
    });
    const { consent, ...kept } = created;
    const record = { ...kept, seen: 0, outbox };
    this.storage.write(record);
    this.#adopt(record);
    this.handlers.onConsent(consent);
    this.#listen(0);
  }

  #adopt(record) {
    this.#stream?.close();
    this.#stream = null;
    this.#record = record;
    this.handlers.onCompany(record.company);
  }

  async #load() {
    const history = await this.#call(`messages`, {}, { renew: false });
    this.handlers.onHistory(history);
    this.handlers.onConsent(history.consent);
    // Events behind the last whole answer are replayed: sentences of an unfinished answer and
    // a hold are in the log only. The view recognises what it has by id and position.
    const answered = history.messages
      .filter((message) => message.author.kind === "bot" || message.author.kind === "person")
      .map((message) => message.position);
    this.#listen(history.held ? 0 : Math.max(0, ...answered));
  }

  #listen(lastId) {
    const { id, token } = this.#record;
    this.#stream = new EventStream({
      url: this.#url(`v1/conversations/${id}/events`),
      headers: () => ({ Authorization: `Bearer ${token}` }),
      lastId,
      onEvent: (event) => id === this.id && this.handlers.onEvent(event),
      onState: (state) => id === this.id && this.handlers.onLine(state),
      onDenied: () => id === this.id && this.#renew("expired").catch(() => {}), // onLine has told
    });
  }

  markSeen(position) {
    if (this.id) this.storage.update(this.id, (r) => ({ seen: Math.max(r.seen ?? 0, position) }));
  }

  /** Queues a message; attempts are made in order, one at a time. Returns its key. */
  send(text) {
    const entry = { key: randomId(), text };
    this.#remember(entry);
    this.#enqueue(entry);
    return entry.key;
  }

  resend(entry) {
    this.#enqueue(entry);
  }

  #enqueue(entry) {
    if (this.#underway.has(entry.key)) return;
    this.#underway.add(entry.key);
    this.handlers.onOutgoing({ ...entry, status: "sending" });
    this.#queue = this.#queue
      .then(() => this.#deliver(entry))
      .finally(() => this.#underway.delete(entry.key));
  }

  async #deliver(entry) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.start();
        const accepted = await this.#call("messages", {
          method: "POST",
          body: { text: entry.text },
          headers: { "Idempotency-Key": entry.key },
        });
        this.#forgetSent(entry);
        this.handlers.onOutgoing({ ...entry, status: "sent", ...accepted });
        return;
      } catch (error) {
        if (!(error instanceof HttpError)) throw error;
        const long = error.retryAfter !== null && error.retryAfter > PATIENCE_S;
        if (!error.passing || long || attempt >= RESEND_AFTER_MS.length) {
          if (!error.passing) this.#forgetSent(entry);
          this.handlers.onOutgoing({ ...entry, status: "failed", error });
          return;
        }
        const wait = error.retryAfter ? error.retryAfter * 1000 : RESEND_AFTER_MS[attempt];
        await pause(wait * (0.8 + 0.4 * Math.random()));
      }
    }
  }

  #remember(entry) {
    if (!this.id) return;
    this.storage.update(this.id, (r) => ({ outbox: [...(r.outbox ?? []), entry] }));
  }

  #forgetSent({ key }) {
    if (!this.id) return;
    this.storage.update(this.id, (r) => ({ outbox: (r.outbox ?? []).filter((e) => e.key !== key) }));
  }

  /** A message that a reload interrupted goes out now; its key keeps it from going out twice. */
  #flushOutbox() {
    for (const entry of this.storage.read()?.outbox ?? []) this.#enqueue(entry);
  }

  requestPerson() {
    return this.start().then(() => this.#call("request-person", { method: "POST", body: {} }));
  }

  /** Whether the company may learn from this conversation. */
  consent(training) {
    return this.start().then(() => this.#call("consent", { method: "POST", body: { training } }));
  }

  contact(details) {
    return this.#call("contact", { method: "POST", body: details });
  }

  end() {
    return this.#call("close", { method: "POST", body: {} }, { renew: false });
  }

  feedback(messageId, body) {
    return requestJson(this.#url(`v1/messages/${encodeURIComponent(messageId)}/feedback`), {
      method: "POST",
      body,
      token: this.#record?.token,
    });
  }

  startNew() {
    return this.#renew("customer");
  }

  async #call(path, options, { renew = true } = {}) {
    const attempt = () =>
      requestJson(this.#url(`v1/conversations/${this.id}/${path}`), {
        ...options,
        token: this.#record.token,
      });
    try {
      return await attempt();
    } catch (error) {
      if (!renew || ![401, 404, 410].includes(error.status)) throw error;
      await this.#renew("expired");
      return attempt();
    }
  }

  /** Leaves the conversation for a new one. Calls during the change share it. */
  #renew(reason) {
    this.#renewing ??= this.storage
      .exclusively(async () => {
        const current = this.storage.read();
        if (current && current.id !== this.id) return this.#follow(current);
        if (current) this.storage.forget(current.id);
        this.handlers.onRenewed(reason);
        await this.#create(reason === "expired" ? current?.outbox : []);
      })
      .catch((error) => {
        this.#starting = null;
        this.handlers.onLine("failed", error);
        throw error;
      })
      .finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  async #follow(record) {
    this.handlers.onRenewed("other-tab");
    this.#adopt(record);
    await this.#load();
  }

  #otherTab(record) {
    if (!record || !this.id || record.id === this.id || this.#renewing) return;
    this.#follow(record).catch((error) => this.handlers.onLine("failed", error));
  }

  #url(path) {
    return new URL(path, this.api).href;
  }
}
