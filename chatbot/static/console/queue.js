/** The review queue: what waits, oldest promise first, beside the item that is open. */
import { fill, h } from "../lib/dom.js";
import { clock, span } from "../lib/time.js";
import { inWords } from "./api.js";
import { words } from "./evidence.js";
import { QueueFilters } from "./filters.js";
import { ItemView } from "./item.js";
import { WindowedList } from "./list.js";
import { Pages } from "./pages.js";

/** Bursts of events on a long queue become one fetch. */
const REFRESH_AFTER_MS = 300;
const ROW_PX = 92;
const PREVIEW_AFTER_MS = 120;

export class QueueView {
  #timers = {};
  #known = null;
  #open = null;

  constructor({ api, me, announce, onCount, onNew }) {
    Object.assign(this, { api, me, announce, onCount, onNew });
    this.list = new WindowedList({ label: "Waiting items, oldest promise first", height: ROW_PX,
      renderRow: (item) => this.#row(item), tick: (item, node) => this.#tick(item, node),
      onSelect: (item) => this.#preview(item), onOpen: () => this.item.claim(), onNeed: (first, last) => this.pages.need(first, last) });
    this.filters = new QueueFilters(() => {
      this.list.node.scrollTop = 0; // another list begins at its beginning
      this.pages.refresh();
    });
    this.pages = new Pages({
      fetchPage: async (offset, limit) => this.#stamped(await api.get("review/items",
        { state: "open", limit, offset, ...this.filters.query }), offset, limit),
      onPage: (answer) => this.#take(answer),
      onError: (error) => this.#message("The queue could not be loaded", inWords(error), () => this.refresh()),
    });
    this.summary = h("p.summary", { role: "status" });
    this.take = h("button.primary", { type: "button", "aria-keyshortcuts": "n", onclick: () => this.takeNext() },
      "Take the next", h("kbd", { "aria-hidden": "true" }, "n"));
    this.empty = h("div.empty", { hidden: true });
    this.detail = h("section.detail", { "aria-label": "Item" });
    this.item = new ItemView({ api, me, announce, root: this.detail,
      onResolved: (ids) => this.#next(ids), onChanged: () => this.refresh() });
    this.node = h("div.split",
      h("section.list", { "aria-label": "Review queue" },
        h("div.list-head", this.filters.node, h("div.list-foot", this.summary, this.take)), this.list.node, this.empty),
      this.detail);
  }

  refresh() {
    return this.pages.refresh(...this.list.view);
  }

  #stamped(answer, offset, limit) {
    const fetchedAt = Date.now();
    const items = answer.items.map((item) => ({ ...item, fetchedAt,
      stamp: `${item.version}:${item.holder?.id}:${item.stale}:${item.urgent}` }));
    if (!this.filters.text) return { ...answer, items };
    // The server counts without the words: a full page means that there may be more.
    const more = items.length === limit ? 1 : 0;
    return { ...answer, items, total: offset + items.length + more };
  }

  #take({ items, counts }) {
    this.filters.learn({ items, counts });
    this.onCount(counts.open);
    this.#news(counts.open);
    this.#show();
    this.item.listed(this.pages.rows.find((item) => item?.id === this.item.id) ?? null);
  }

  /** New work: by name while the whole queue is here, by number on a longer one. */
  #news(open) {
    const grown = this.#open === null ? 0 : open - this.#open;
    this.#open = open;
    if (this.filters.active) return;
    const ids = new Set(this.pages.rows.filter(Boolean).map((item) => item.id));
    const fresh = this.pages.whole && this.#known
      ? [...ids].filter((id) => !this.#known.has(id)).length : Math.max(0, grown);
    this.#known = this.pages.whole ? ids : null;
    if (fresh) this.onNew(fresh);
  }

  #show() {
    const { rows, total } = this.pages;
    const filtered = this.filters.active;
    this.list.node.hidden = !rows.length;
    this.empty.hidden = rows.length > 0;
    this.list.show(rows);
    this.summary.textContent = rows.length ? `${total.toLocaleString()} ${filtered ? "found" : "waiting"}` : "";
    if (rows.length) return;
    if (filtered) this.#message("Nothing matches", "Try other words or another filter.");
    else {
      this.#message("Nobody is waiting",
        "Every held answer has been dealt with. New ones appear here by themselves.");
      this.item.clearIfResolved();
    }
  }

  #message(title, text, retry) {
    this.empty.hidden = false;
    this.list.node.hidden = true;
    this.summary.textContent = "";
    fill(this.empty, h("h2", title), h("p", text),
      retry && h("button", { type: "button", onclick: retry }, "Try again"));
  }

  #row(item) {
    return h("div.row",
      h("p.question", { dir: "auto" }, item.question),
      h("p.why", item.urgent && h("span.tag.hold", "Urgent"),
        item.stale && h("span.tag.warn", "New message"),
        item.holder ? h("span.tag.who", item.holder.id === this.me.id ? "You" : item.holder.name)
          : item.assignee && h("span.tag.who", `For ${item.assignee.id === this.me.id ? "you" : item.assignee.name}`),
        h("span.text", (item.reasons ?? []).map((r) => words(r.code)).join(", "))),
      h("p.times", h("span.waiting"), h("span.promise")));
  }

  #tick(item, node) {
    const passed = (Date.now() - item.fetchedAt) / 1000;
    const left = item.promised_in_s - passed;
    node.querySelector(".waiting").textContent = `waiting ${clock(item.waiting_s + passed)}`;
    const promise = node.querySelector(".promise");
    promise.textContent = left < 0 ? `${span(-left)} late` : `due in ${span(left)}`;
    promise.className = `promise ${left < 0 ? "late" : left < 60 ? "soon" : ""}`;
  }

  tick() {
    this.list.refresh();
    this.item.tick();
  }

  /** Moving through the list shows each item; only Enter or the button takes it. */
  #preview(item) {
    clearTimeout(this.#timers.preview);
    this.#timers.preview = setTimeout(() => this.item.open(item.id), PREVIEW_AFTER_MS);
    history.replaceState(null, "", `#/queue/${encodeURIComponent(item.id)}`);
  }

  /** After a decision: the next item at once, of the whole queue or of what the filters show. */
  #next(resolved) {
    const at = this.list.index(resolved[0]);
    const rows = [...this.list.rows.slice(at + 1), ...this.list.rows.slice(0, Math.max(0, at))];
    for (const id of resolved) {
      this.pages.drop(id);
      this.#known?.delete(id);
    }
    if (this.filters.active) {
      const next = rows.find((item) => item && !resolved.includes(item.id)
        && (!item.holder || item.holder.id === this.me.id));
      if (next) {
        this.#opened(next.id);
        this.item.open(next.id, { claim: true });
      } else this.item.clear("Nothing else here is waiting for you.");
    } else this.takeNext();
    this.#show();
    this.list.node.focus();
  }

  /** The server chooses: the most pressing item that is free and that this person may take. */
  async takeNext() {
    const next = await this.item.takeNext();
    if (next) this.#opened(next);
  }

  #opened(id) {
    this.list.select(id, { tell: false });
    history.replaceState(null, "", `#/queue/${encodeURIComponent(id)}`);
  }

  openId(id) {
    this.list.select(id, { tell: false });
    this.item.open(id);
  }

  key(key) {
    if (key === "j") this.list.move(1);
    else if (key === "k") this.list.move(-1);
    else if (key === "/") this.filters.search.focus();
    else if (key === "n") this.takeNext();
    else return this.item.key(key);
    return true;
  }

  event(data) {
    if (data.id === this.item.id) this.item.remote(data);
    this.#timers.refresh ??= setTimeout(() => {
      this.#timers.refresh = null;
      this.refresh();
    }, this.pages.whole ? 0 : REFRESH_AFTER_MS);
  }
}
