/** What the queue shows: a few chips with counts, and menus for reason, intent and team. */
import { fill, h } from "../lib/dom.js";
import { REASONS, words } from "./evidence.js";

const SEARCH_AFTER_MS = 250;
const CHIPS = { all: "All", mine: "Mine", urgent: "Urgent", stale: "Stale" };

export class QueueFilters {
  #chip = "all";
  #timer = null;
  #intents = new Set();

  constructor(onChange) {
    this.onChange = onChange;
    this.search = h("input", { type: "search", placeholder: "Search", "aria-label": "Search the queue",
      "aria-keyshortcuts": "/", oninput: () => {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(onChange, SEARCH_AFTER_MS);
      } });
    this.chips = h("div.filters", { role: "group", "aria-label": "Filter" },
      Object.entries(CHIPS).map(([name, label]) => h("button.filter", { type: "button", "data-name": name,
        "aria-pressed": String(name === "all"), onclick: () => this.#choose(name) }, label, h("span.n"))));
    const menu = (label) => h("select", { "aria-label": label, onchange: onChange });
    this.reason = menu("Reason");
    this.intent = menu("Intent");
    this.team = menu("Team");
    options(this.reason, "Any reason", Object.entries(REASONS));
    options(this.intent, "Any intent", []);
    this.team.hidden = true;
    this.node = h("div", this.search, this.chips, h("div.menus", this.reason, this.intent, this.team));
  }

  get text() {
    return this.search.value.trim();
  }

  /** Whether the list is less than the whole queue. */
  get active() {
    return this.#chip !== "all" || [this.text, this.reason.value, this.intent.value, this.team.value].some(Boolean);
  }

  get query() {
    return { q: this.text, reason: this.reason.value, intent: this.intent.value, team: this.team.value,
      mine: this.#chip === "mine", urgent: this.#chip === "urgent", stale: this.#chip === "stale" };
  }

  #choose(name) {
    this.#chip = name;
    for (const chip of this.chips.children) {
      chip.setAttribute("aria-pressed", String(chip.dataset.name === name));
    }
    this.onChange();
  }

  clear() {
    for (const field of [this.search, this.reason, this.intent, this.team]) field.value = "";
    this.#choose("all");
  }

  /** What the server says beside a page of items. */
  learn({ items, counts }) {
    const numbers = { all: counts.open, ...counts };
    for (const chip of this.chips.children) {
      chip.lastElementChild.textContent = numbers[chip.dataset.name] || "";
    }
    const known = this.#intents.size;
    for (const { intent } of items) if (intent) this.#intents.add(intent);
    if (this.#intents.size > known) {
      options(this.intent, "Any intent", [...this.#intents].sort().map((intent) => [intent, words(intent)]));
    }
    const teams = Object.entries(counts.teams ?? {});
    this.team.hidden = !teams.length && !this.team.value;
    options(this.team, "Any team", teams.map(([name, n]) => [name, `${name} (${n})`]));
  }
}

function options(select, any, entries) {
  const chosen = select.value;
  const shown = chosen && !entries.some(([value]) => value === chosen) ? [...entries, [chosen, words(chosen)]] : entries;
  const wanted = JSON.stringify(shown);
  if (select.dataset.shown === wanted) return; // an open menu is not redrawn under the pointer
  select.dataset.shown = wanted;
  fill(select, h("option", { value: "" }, any), shown.map(([value, label]) => h("option", { value }, label)));
  select.value = chosen;
}
