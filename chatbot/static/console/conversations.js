/** Conversations: who waits for a person, who talks to one, and what the bot is doing. */
import { fill, h } from "../lib/dom.js";
import { clock, moment } from "../lib/time.js";
import { inWords } from "./api.js";
import { ConversationView } from "./conversation.js";
import { WindowedList } from "./list.js";

const ROW_PX = 84;
const LIMIT = 500;
const STATES = { waiting: "Waiting", person: "With us", bot: "With the bot", closed: "Closed" };

export class ConversationsView {
  #state = "waiting";
  #rows = [];
  #asked = 0;
  #known = null;

  constructor({ api, me, announce, onCount, onNew }) {
    Object.assign(this, { api, me, announce, onCount, onNew });
    this.list = new WindowedList({ label: "Conversations", height: ROW_PX,
      renderRow: (row) => this.#row(row), tick: (row, node) => this.#tick(row, node),
      onSelect: (row) => this.#select(row), onOpen: () => this.detail.focus() });
    this.tabs = h("div.filters", { role: "group", "aria-label": "State" },
      Object.entries(STATES).map(([state, label]) => h("button.filter", { type: "button",
        "data-name": state, "aria-pressed": String(state === this.#state),
        onclick: () => this.#choose(state) }, label)));
    this.search = h("input", { type: "search", placeholder: "Search in last messages",
      "aria-label": "Search conversations", oninput: () => this.#show() });
    this.empty = h("div.empty", { hidden: true });
    this.summary = h("p.summary", { role: "status" });
    this.panel = h("section.detail", { "aria-label": "Conversation" });
    this.detail = new ConversationView({ api, me, announce, root: this.panel,
      onChanged: () => this.refresh() });
    this.node = h("div.split", h("section.list", { "aria-label": "Conversations" },
      h("div.list-head", this.search, this.tabs, this.summary), this.list.node, this.empty), this.panel);
  }

  async refresh() {
    const asked = (this.#asked += 1);
    const state = this.#state;
    try {
      const [shown, waiting] = await Promise.all([
        this.api.get("conversations", { state, limit: LIMIT }),
        state === "waiting" ? null : this.api.get("conversations", { state: "waiting", limit: LIMIT }),
      ]);
      if (asked !== this.#asked) return;
      this.#count((waiting ?? shown).conversations);
      const at = Date.now();
      this.#rows = shown.conversations.map((row) => ({ ...row, fetchedAt: at,
        stamp: `${row.state}:${row.updated_at}:${row.last_text}:${row.owner?.id ?? row.owner}:${row.assignee?.id}` }));
      const mine = (row) => Number(row.assignee?.id === this.me.id);
      this.#rows.sort((a, b) => Number(b.urgent ?? 0) - Number(a.urgent ?? 0) || mine(b) - mine(a)
        || (b.waiting_s ?? 0) - (a.waiting_s ?? 0)
        || String(b.updated_at).localeCompare(String(a.updated_at)));
      this.#show();
    } catch (error) {
      this.#message("The conversations could not be loaded", inWords(error), () => this.refresh());
    }
  }

  #count(waiting) {
    const ids = new Set(waiting.map((row) => row.id));
    const fresh = this.#known ? [...ids].filter((id) => !this.#known.has(id)).length : 0;
    if (fresh) this.onNew(fresh);
    this.#known = ids;
    this.onCount(waiting.length);
  }

  #show() {
    const query = this.search.value.trim().toLowerCase();
    const rows = this.#rows.filter((row) => (row.last_text ?? "").toLowerCase().includes(query));
    this.list.show(rows);
    this.list.node.hidden = !rows.length;
    this.empty.hidden = rows.length > 0;
    this.summary.textContent = rows.length ? `${rows.length} · ${STATES[this.#state]}` : "";
    if (!rows.length) {
      const nobody = this.#state === "waiting" ? "Nobody is waiting for a person" : "Nothing here";
      this.#message(query ? "Nothing matches" : nobody,
        query ? "Try other words." : "New conversations appear here by themselves.");
    }
  }

  #message(title, text, retry) {
    this.empty.hidden = false;
    this.list.node.hidden = true;
    fill(this.empty, h("h2", title), h("p", text),
      retry && h("button", { type: "button", onclick: retry }, "Try again"));
  }

  #row(row) {
    const owner = row.owner?.name ?? row.owner;
    return h("div.row", h("p.question", { dir: "auto" }, row.last_text || "No message yet"),
      h("p.why", row.urgent && h("span.tag.hold", "Urgent"), row.contact && h("span.tag.warn", "Left contact"),
        owner && h("span.tag.who", owner),
        row.assignee && h("span.tag.who", `For ${row.assignee.id === this.me.id ? "you" : row.assignee.name}`), h("span.text", `last: ${row.last_author ?? "nobody"}`)),
      h("p.times", h("span.waiting"), h("time", { datetime: row.updated_at }, moment(row.updated_at))));
  }

  #tick(row, node) {
    if (typeof row.waiting_s !== "number") return;
    const seconds = row.waiting_s + (Date.now() - row.fetchedAt) / 1000;
    node.querySelector(".waiting").textContent = `waiting ${clock(seconds)}`;
  }

  tick() {
    this.list.refresh();
  }

  #choose(state) {
    this.#state = state;
    for (const tab of this.tabs.children) {
      tab.setAttribute("aria-pressed", String(tab.dataset.name === state));
    }
    this.refresh();
  }

  #select(row) {
    history.replaceState(null, "", `#/conversations/${encodeURIComponent(row.id)}`);
    this.detail.open(row.id);
  }

  openId(id) {
    this.list.select(id, { tell: false });
    this.detail.open(id);
  }

  key(key) {
    if (key === "j") this.list.move(1);
    else if (key === "k") this.list.move(-1);
    else if (key === "/") this.search.focus();
    else if (key === "Enter") this.detail.focus();
    else return this.detail.key(key);
    return true;
  }

  event(data) {
    if (data.id === this.detail.id) this.detail.refresh();
    this.refresh();
  }
}
