/** One held answer: the evidence, the lease, and the reviewer's decision. */
import { fill, h, icon } from "../lib/dom.js";
import { clock, span } from "../lib/time.js";
import { inWords } from "./api.js";
import { Decision } from "./decision.js";
import { messageList, passageList, reasonList, routeFacts, sentenceList, showPassage, words }
  from "./evidence.js";
import { showTrail } from "./trail.js";

/** A third of the lease: two renewals may fail before it runs out. */
const RENEW_FRACTION = 1 / 3;
const SHORTEST_RENEWAL_MS = 5000;
/** Nobody at the desk: the lease is left to run out, so that a colleague can take the item. */
const IDLE_MS = 5 * 60_000;

export class ItemView {
  #item = null;
  #fetchedAt = 0;
  #renewal = null;
  #request = 0;
  #lastActive = Date.now();

  constructor({ api, me, announce, root, onResolved, onChanged }) {
    Object.assign(this, { api, me, announce, root, onResolved, onChanged });
    for (const type of ["keydown", "pointerdown"]) {
      document.addEventListener(type, () => (this.#lastActive = Date.now()), { passive: true });
    }
    this.clear("Choose an item from the queue, or press j.");
  }

  get id() {
    return this.#item?.id ?? null;
  }

  get mine() {
    return this.#item?.holder?.id === this.me.id && this.#item.state === "open";
  }

  clear(text) {
    this.#leave();
    this.root.removeAttribute("aria-busy");
    fill(this.root, h("div.empty", h("h2", "Nothing is open"), h("p", text)));
  }

  clearIfResolved() {
    if (this.#item && this.#item.state !== "open") this.clear("New items appear by themselves.");
  }

  #leave() {
    clearTimeout(this.#renewal);
    this.#request += 1;
    this.#item = null;
    this.decision = null;
  }

  async open(id, { claim = false } = {}) {
    if (id === this.id && !claim) return;
    this.#leave();
    const request = this.#request;
    this.root.setAttribute("aria-busy", "true");
    try {
      if (claim) await this.api.post(`review/items/${encodeURIComponent(id)}/claim`);
      const item = await this.api.get(`review/items/${encodeURIComponent(id)}`);
      if (request !== this.#request) return;
      this.#show(item);
      if (claim) this.announce(`Open: ${item.question}`);
    } catch (error) {
      if (request !== this.#request) return;
      if (error.status === 404) {
        this.clear("That item does not exist any more. Choose another one.");
        return;
      }
      if (claim && error.status === 409) {
        this.open(id);
        return;
      }
      fill(this.root, h("div.empty", { role: "alert" }, h("h2", "This item could not be opened"),
        h("p", inWords(error)),
        h("button", { type: "button", onclick: () => this.open(id) }, "Try again")));
    } finally {
      if (request === this.#request) this.root.removeAttribute("aria-busy");
    }
  }

  /** Takes what the server thinks most pressing; its id, or null when nothing is free. */
  async takeNext() {
    this.#leave();
    const request = this.#request;
    this.root.setAttribute("aria-busy", "true");
    try {
      const item = await this.api.post("review/items/claim-next");
      if (request !== this.#request) return null;
      if (!item) {
        this.clear("Nothing else is waiting for you. New items appear by themselves.");
        return null;
      }
      this.#show(item);
      this.announce(`Open: ${item.question}`);
      return item.id;
    } catch (error) {
      if (request === this.#request) {
        this.clear("Choose an item from the queue.");
        this.announce(inWords(error));
      }
      return null;
    } finally {
      if (request === this.#request) this.root.removeAttribute("aria-busy");
    }
  }

  #show(item) {
    this.#item = item;
    this.#fetchedAt = Date.now();
    this.banner = h("div.banner", { role: "alert" });
    this.times = h("span.times");
    this.decision = new Decision({ api: this.api, announce: this.announce, view: this });
    fill(this.root,
      h("header.item-head",
        h("div", h("h2", { dir: "auto" }, item.question),
          h("p.facts", this.times, item.urgent && h("span.tag.hold", "Urgent"),
            item.stale && h("span.tag.warn", "Stale draft"), item.team && h("span.tag.who", item.team),
            h("span.muted", words(item.intent)), this.#holderTag(),
            this.me.role === "admin" && h("button.link", { type: "button", onclick: () => this.#trail() }, "Audit trail"))),
        this.decision.toolbar),
      this.banner,
      h("div.columns",
        h("div.main",
          h("section", h("h3", "Why it was held"), reasonList(item.reasons)),
          h("section", h("h3", "Draft, sentence by sentence"),
            sentenceList(item.sentences, showPassage)),
          this.decision.node),
        h("div.side",
          h("section", h("h3", "Passages"), passageList(item.passages)),
          h("section", h("h3", "Conversation"), messageList(item.conversation ?? [])),
          h("section", h("h3", "Route"), routeFacts(item.route)))));
    this.root.scrollTop = 0;
    this.#state();
    this.tick();
    if (this.mine) this.#renewLater();
  }

  /** Who works on it, or else for whom it is kept. */
  #holderTag() {
    const { holder, assignee } = this.#item;
    const name = (one) => (one.id === this.me.id ? "you" : one.name);
    this.holder = h("span.tag.who");
    this.holder.hidden = !holder && !assignee;
    this.holder.textContent = holder ? (holder.id === this.me.id ? "Yours" : `With ${holder.name}`)
      : assignee ? `For ${name(assignee)}` : "";
    return this.holder;
  }

  #trail() {
    showTrail(this.api, this.#item.conversation_id);
  }

  #state() {
    const item = this.#item;
    if (item.state !== "open") {
      this.warn(item.state === "withdrawn"
        ? "This answer is no longer needed: the customer moved on or a person took over."
        : "This item has been resolved.");
    } else if (item.stale) {
      this.warn("The customer wrote again after this draft. Ask for another draft, or edit it so that "
        + "it answers everything; approved as it is, the newer message is answered after it.");
    }
    this.decision.update(item, this.mine);
  }

  warn(text, ...buttons) {
    fill(this.banner, text && [icon("alert", "icon small"), h("span", text), ...buttons]);
  }

  /** Takes what the server returned for this item; the evidence stays unless it is new. */
  merge(change, { redraw = false } = {}) {
    if (!change || change.id !== this.id) return;
    this.#item = { ...this.#item, ...change };
    this.#fetchedAt = Date.now();
    if (redraw) this.#show(this.#item);
    else {
      this.holder.replaceWith(this.#holderTag());
      this.#state();
    }
    if (this.mine) this.#renewLater();
  }

  get item() {
    return this.#item;
  }

  path(action) {
    return `review/items/${encodeURIComponent(this.id)}/${action}`;
  }

  async claim() {
    if (!this.#item || this.mine || this.#item.state !== "open") return;
    try {
      const claimed = await this.api.post(this.path("claim"));
      this.warn("");
      this.merge(claimed);
      this.announce("The item is yours.");
      this.onChanged();
    } catch (error) {
      const holder = error.problem?.holder?.name;
      this.warn(error.status === 409
        ? `${holder ?? "A colleague"} is working on this item. Choose another one.` : inWords(error));
    }
  }

  #renewLater() {
    clearTimeout(this.#renewal);
    const left = Date.parse(this.#item.lease_until) - Date.now();
    if (!this.mine || Number.isNaN(left)) return;
    this.#renewal = setTimeout(() => this.#renew(), Math.max(SHORTEST_RENEWAL_MS, left * RENEW_FRACTION));
  }

  async #renew() {
    const id = this.id;
    if (!this.mine) return;
    if (Date.now() - this.#lastActive > IDLE_MS) {
      this.#lost("You have been away, so this item will be free for others soon.");
      return;
    }
    try {
      const renewed = await this.api.post(this.path("renew"), { version: this.#item.version });
      if (id === this.id) this.merge(renewed);
    } catch (error) {
      if (id !== this.id) return;
      if (error.status === 409) this.#lost("Your claim on this item has run out.");
      else this.#renewLater();
    }
  }

  #lost(text) {
    this.warn(text, h("button", { type: "button", onclick: () => this.reload(true) }, "Take it again"));
  }

  /** Fetches the item again; what the reviewer has typed is kept by the decision box. */
  async reload(claim = false) {
    const id = this.id;
    this.decision?.keep();
    this.#item = null;
    await this.open(id, { claim });
  }

  /** Something happened to this item elsewhere. */
  async remote({ state, version }) {
    const item = this.#item;
    if (!item || this.decision.busy || (state === item.state && version <= item.version)) return;
    if (state !== "open") {
      this.merge({ id: item.id, state, version });
      return;
    }
    try {
      const fresh = await this.api.get(`review/items/${encodeURIComponent(item.id)}`);
      if (fresh.id !== this.id || this.decision.busy) return;
      this.decision.keep();
      const { box } = this.decision;
      const typing = document.activeElement === box && [box.selectionStart, box.selectionEnd];
      this.merge(fresh, { redraw: fresh.draft !== item.draft || fresh.stale !== item.stale });
      if (typing) {
        this.decision.box.focus();
        this.decision.box.setSelectionRange(...typing);
      }
    } catch (error) {
      this.warn(inWords(error));
    }
  }

  /** What the list knows of the open item: its clocks. */
  listed(row) {
    if (!row || row.id !== this.id) return;
    Object.assign(this.#item, { waiting_s: row.waiting_s, promised_in_s: row.promised_in_s });
    this.#fetchedAt = row.fetchedAt;
  }

  tick() {
    if (!this.#item || this.#item.state !== "open") return;
    const passed = (Date.now() - this.#fetchedAt) / 1000;
    const left = this.#item.promised_in_s - passed;
    this.times.textContent = `Waiting ${clock(this.#item.waiting_s + passed)} · `
      + (left < 0 ? `promise missed by ${span(-left)}` : `promised within ${span(left)}`);
    this.times.classList.toggle("late", left < 0);
  }

  key(key) {
    if (key === "h" && this.#item && this.me.role === "admin") {
      this.#trail();
      return true;
    }
    if (key === "Enter") {
      this.claim();
      return true;
    }
    return this.decision?.key(key) ?? false;
  }
}
