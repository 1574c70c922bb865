/**
 * The conversation as the visitor sees it: a fold over messages and events that may arrive
 * twice (history, replay, another tab) and in any order of arrival. An entry is known by its
 * key; its place is (generation, position), where a generation is one conversation.
 */
import { h } from "../lib/dom.js";
import { endedCard, errorCard, handoverCard, HeldCard } from "./cards.js";
import { MessageView } from "./messages.js";

const PENDING = Number.MAX_SAFE_INTEGER;

export class Transcript {
  #entries = new Map();
  #generation = 0;
  #arrivals = 0;
  #held = new Map();

  constructor(context, { log }) {
    this.context = context;
    this.log = log;
  }

  get isHeld() {
    return this.#held.size > 0;
  }

  has(key) {
    return this.#entries.has(`${this.#generation}:${key}`);
  }

  #get(key) {
    return this.#entries.get(`${this.#generation}:${key}`);
  }

  #place(key, node, position, extra = {}) {
    const id = `${this.#generation}:${key}`;
    this.#entries.get(id)?.node.remove();
    const entry = { ...extra, key: id, node, generation: this.#generation,
      position: position ?? PENDING, arrival: (this.#arrivals += 1) };
    this.#entries.set(id, entry);
    this.#insert(entry);
    return entry;
  }

  #insert(entry) {
    let next = null;
    for (const other of this.#entries.values()) {
      if (other === entry || !other.node.isConnected || !follows(other, entry)) continue;
      if (!next || follows(next, other)) next = other;
    }
    if (next) next.node.before(entry.node);
    else if (this.log.lastElementChild !== entry.node) this.log.append(entry.node);
  }

  #move(entry, position) {
    if (entry.position === position) return;
    entry.position = position;
    this.#insert(entry);
  }

  greeting(text) {
    const view = new MessageView({ kind: "bot", name: this.context.company.bot_name }, this.context);
    view.bubble.textContent = text;
    if (text && !this.has("greeting")) this.#place("greeting", view.node, -1);
  }

  /** A new conversation begins below; what was said stays, cards that still waited go. */
  renew(notice) {
    for (const id of [...this.#held.keys()]) this.release(id);
    this.#generation += 1;
    if (notice) this.#place("renewed", h("li.divider", h("span", notice)), -2);
  }

  outgoing({ key, text, status, id, position, error }, { retry, reason }) {
    const entry = this.#get(`own:${key}`) ?? this.#ownByMessage(id)
      ?? this.#newOwn(`own:${key}`, text, null);
    const { strings } = this.context;
    if (status === "sent") {
      entry.messageId = id;
      this.#move(entry, position);
      entry.view.status("");
    } else if (status === "failed") {
      entry.view.status(`${strings.notSent}. ${reason(error)}`, retry);
    } else entry.view.status(strings.sending);
  }

  #newOwn(key, text, createdAt, position) {
    const author = { kind: "customer", name: "" };
    const view = new MessageView(author, this.context, createdAt ?? new Date().toISOString());
    view.bubble.textContent = text;
    return this.#place(key, view.node, position, { view, own: true, text });
  }

  #ownByMessage(id) {
    if (!id) return null;
    return [...this.#entries.values()].find((e) => e.own && e.messageId === id
      && e.generation === this.#generation) ?? null;
  }

  /** A message of the customer's, of this tab or of another. */
  received(message) {
    const waiting = (e) => e.own && !e.messageId && e.text === message.text
      && e.generation === this.#generation;
    const entry = this.#ownByMessage(message.id) ?? [...this.#entries.values()].find(waiting)
      ?? this.#newOwn(`m:${message.id}`, message.text, message.created_at, message.position);
    entry.messageId = message.id;
    entry.view.status("");
    this.#move(entry, message.position);
  }

  message(message) {
    if (message.author.kind === "customer") return this.received(message);
    if (message.author.kind === "notice") return this.notice(message.text, message.position);
    const entry = this.#answer(message.id, message.author, message.position, message.created_at);
    if (entry.view.complete) return undefined;
    entry.view.finish(message, { askFeedback: true });
    this.release(message.id);
    return undefined;
  }

  sentence(event, position) {
    const author = { kind: "bot", name: this.context.company?.bot_name ?? "" };
    this.#answer(event.message_id, author, position).view.sentence(event);
  }

  #answer(id, author, position, createdAt) {
    const known = this.#get(`m:${id}`);
    if (known) return known;
    const view = new MessageView(author, this.context, createdAt);
    return this.#place(`m:${id}`, view.node, position, { view });
  }

  notice(text, position) {
    if (this.has(`n:${position}`) || !text) return;
    this.#place(`n:${position}`, h("li.notice", { part: "notice" },
      h("span", { dir: "auto" }, text)), position);
  }

  held(event, position, since) {
    if (this.#get(`m:${event.message_id}`)?.view.complete) return;
    this.release(event.message_id);
    const card = new HeldCard(event, since, this.context);
    this.#held.set(event.message_id, card);
    this.#place(`n:${position}`, card.node, PENDING - 1);
  }

  release(messageId) {
    this.#held.get(messageId)?.remove();
    this.#held.delete(messageId);
  }

  handover(event, position) {
    if (this.#get(`n:${position}`)?.rich) return;
    this.#place(`n:${position}`, handoverCard(event, this.context), position, { rich: true });
  }

  error(event, position, retry) {
    if (this.#get(`n:${position}`)?.rich) return;
    this.#place(`n:${position}`, errorCard(event, retry, this.context), position, { rich: true });
  }

  ended(text, position, startNew) {
    for (const id of [...this.#held.keys()]) this.release(id);
    if (this.#get(`n:${position}`)?.rich) return;
    this.#place(`n:${position}`, endedCard(text, startNew, this.context), position, { rich: true });
  }
}

/** Whether `a` stands below `b`. */
function follows(a, b) {
  if (a.generation !== b.generation) return a.generation > b.generation;
  if (a.position !== b.position) return a.position > b.position;
  return a.arrival > b.arrival;
}
