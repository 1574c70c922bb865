/** The review queue: what waits, oldest promise first, beside the item that is open. */
import { fill, h } from "../lib/dom.js";
import { clock, span } from "../lib/time.js";
import { inWords } from "./api.js";
import { words } from "./evidence.js";
import { ItemView } from "./item.js";
import { WindowedList } from "./list.js";

/** The first page paints at once; the rest of a long queue follows behind it. */
const FIRST_PAGE = 200;
const WHOLE_QUEUE = 5000;
/** Fetching thousands of rows for every event would keep the server and this page busy. */
const LONG_QUEUE_REFRESH_MS = 2000;
const ROW_PX = 92;
const PREVIEW_AFTER_MS = 120;
const SEARCH_AFTER_MS = 250;

const FILTERS = {
  all: ["All", () => true],
  free: ["Free", (item) => !item.holder],
  mine: ["Mine", (item, me) => item.holder?.id === me.id],
  urgent: ["Urgent", (item) => item.urgent],
};

export class QueueView {
  #items = [];
  #total = 0;
  #filter = "all";
  #fetchedAt = Date.now();
  #limit = FIRST_PAGE;
  #timers = {};
  #known = null;
  #asked = 0;
  #capped = false;

  constructor({ api, me, announce, onCount, onNew }) {
    Object.assign(this, { api, me, announce, onCount, onNew });
    this.list = new WindowedList({ label: "Waiting items, oldest promise first", height: ROW_PX,
      renderRow: (item) => this.#row(item), tick: (item, node) => this.#tick(item, node),
      onSelect: (item) => this.#preview(item), onOpen: () => this.item.claim() });
    this.search = h("input", { type: "search", placeholder: "Search questions",
      "aria-label": "Search the queue", oninput: () => this.#searchSoon() });
    this.filters = h("div.filters", { role: "group", "aria-label": "Filter" },
      Object.entries(FILTERS).map(([name, [label]]) => h("button.filter", { type: "button",
        "data-name": name, "aria-pressed": String(name === "all"),
        onclick: () => this.#choose(name) }, label)));
    this.summary = h("p.summary", { role: "status" });
    this.empty = h("div.empty", { hidden: true });
    this.detail = h("section.detail", { "aria-label": "Item" });
    this.item = new ItemView({ api, me, announce, root: this.detail,
      onResolved: (id) => this.#next(id), onChanged: () => this.refresh() });
    this.node = h("div.split",
      h("section.list", { "aria-label": "Review queue" },
        h("div.list-head", this.search, this.filters, this.summary), this.list.node, this.empty),
      this.detail);
  }

  async refresh() {
    const asked = (this.#asked += 1);
    try {
      const found = await this.api.get("review/items",
        { state: "open", limit: this.#limit, q: this.search.value.trim() });
      if (asked !== this.#asked) return; // a later request has answered or will
      this.#take(found);
      if (found.total > found.items.length && this.#limit === FIRST_PAGE && !this.#capped) {
        this.#limit = WHOLE_QUEUE;
        await this.refresh();
      }
    } catch (error) {
      if ((error.status === 422 || error.status === 400) && this.#limit === WHOLE_QUEUE) {
        this.#capped = true; // this server gives smaller pages; the oldest promises come first
        this.#limit = FIRST_PAGE;
        return;
      }
      this.#message("The queue could not be loaded", inWords(error), () => this.refresh());
    }
  }

  #take({ items, total }) {
    this.#fetchedAt = Date.now();
    this.#total = total;
    this.#items = items.map((item) => ({ ...item, fetchedAt: this.#fetchedAt,
      stamp: `${item.version}:${item.holder?.id}:${item.stale}:${item.urgent}` }));
    this.#items.sort((a, b) => Number(b.urgent) - Number(a.urgent)
      || a.promised_in_s - b.promised_in_s);
    const searching = this.search.value.trim() !== "";
    const ids = new Set(items.map((item) => item.id));
    if (!searching) {
      const fresh = this.#known && items.filter((item) => !this.#known.has(item.id)).length;
      // A page that grows by paging is not news.
      if (fresh && this.#known.size < this.#limit) this.onNew(fresh);
      this.#known = ids;
      this.onCount(total);
    }
    this.#show();
    this.item.listed(this.#items.find((item) => item.id === this.item.id) ?? null);
  }

  #show() {
    const keep = FILTERS[this.#filter][1];
    const rows = this.#items.filter((item) => keep(item, this.me));
    const filtered = this.#filter !== "all" || this.search.value.trim() !== "";
    const part = filtered || rows.length < this.#total;
    this.list.show(rows);
    this.list.node.hidden = !rows.length;
    this.empty.hidden = rows.length > 0;
    this.summary.textContent = rows.length
      ? `${rows.length.toLocaleString()}${part ? ` of ${this.#total.toLocaleString()}` : ""} waiting` : "";
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
        item.holder && h("span.tag.who", item.holder.id === this.me.id ? "You" : item.holder.name),
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

  #choose(name) {
    this.#filter = name;
    for (const button of this.filters.children) {
      button.setAttribute("aria-pressed", String(button.dataset.name === name));
    }
    this.#show();
  }

  #searchSoon() {
    clearTimeout(this.#timers.search);
    this.#timers.search = setTimeout(() => this.refresh(), SEARCH_AFTER_MS);
  }

  /** Moving through the list shows each item; only Enter or the button takes it. */
  #preview(item) {
    clearTimeout(this.#timers.preview);
    this.#timers.preview = setTimeout(() => this.item.open(item.id), PREVIEW_AFTER_MS);
    history.replaceState(null, "", `#/queue/${encodeURIComponent(item.id)}`);
  }

  /** After a decision: the next free item, taken at once. */
  #next(resolvedId) {
    const at = this.list.index(resolvedId);
    const rows = this.list.rows;
    const order = [...rows.slice(at + 1), ...rows.slice(0, Math.max(0, at))];
    const next = order.find((item) => !item.holder || item.holder.id === this.me.id);
    this.#items = this.#items.filter((item) => item.id !== resolvedId);
    this.#total = Math.max(0, this.#total - 1);
    this.#known?.delete(resolvedId);
    this.onCount(this.#total);
    if (next) {
      this.list.select(next.id, { tell: false });
      history.replaceState(null, "", `#/queue/${encodeURIComponent(next.id)}`);
      this.item.open(next.id, { claim: true });
    } else this.item.clear("Nothing else is waiting for you.");
    this.#show();
    this.list.node.focus();
  }

  openId(id) {
    this.list.select(id, { tell: false });
    this.item.open(id);
  }

  key(key) {
    if (key === "j") this.list.move(1);
    else if (key === "k") this.list.move(-1);
    else if (key === "/") this.search.focus();
    else return this.item.key(key);
    return true;
  }

  event(data) {
    if (data.id === this.item.id) this.item.remote(data);
    if (this.#total <= FIRST_PAGE) this.refresh();
    else {
      this.#timers.refresh ??= setTimeout(() => {
        this.#timers.refresh = null;
        this.refresh();
      }, LONG_QUEUE_REFRESH_MS);
    }
  }
}
