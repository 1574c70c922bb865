/**
 * A list of rows of one height that draws only what is in view: 5,000 rows cost as much as 30.
 * It is a listbox: one tab stop, the arrows (and j, k) move, aria-posinset tells the place.
 * Rows may be missing (see pages.js): a missing one is drawn empty and asked for by `onNeed`.
 */
import { h } from "../lib/dom.js";

const OVERSCAN = 6;

export class WindowedList {
  #drawn = new Map();
  rows = [];
  selected = null;

  /** renderRow(row) -> Node for the inside of an option; tick(row, node) updates it in place. */
  constructor({ label, height, renderRow, tick = () => {}, onSelect, onOpen, onNeed = () => {} }) {
    Object.assign(this, { height, renderRow, tick, onSelect, onOpen, onNeed });
    this.canvas = h("div.canvas", { role: "presentation" });
    this.node = h("div.rows", { role: "listbox", "aria-label": label, tabindex: "0" }, this.canvas);
    this.node.addEventListener("scroll", () => this.#draw(), { passive: true });
    this.node.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#draw()).observe(this.node);
  }

  /** Rows are {id, ...}. An unchanged row (same `stamp`) keeps its node. */
  show(rows) {
    this.rows = rows;
    this.canvas.style.setProperty("block-size", `${rows.length * this.height}px`);
    // A listbox without options is not a listbox to a screen reader.
    this.node.setAttribute("role", rows.length ? "listbox" : "group");
    this.canvas.toggleAttribute("hidden", !rows.length);
    this.#draw(true);
  }

  /** [first, last] index of what is in view. */
  get view() {
    const first = Math.max(0, Math.floor(this.node.scrollTop / this.height) - OVERSCAN);
    const count = Math.ceil(this.node.clientHeight / this.height) + 2 * OVERSCAN;
    return [first, Math.max(first, Math.min(this.rows.length, first + count) - 1)];
  }

  index(id = this.selected) {
    return id === null ? -1 : this.rows.findIndex((row) => row?.id === id);
  }

  select(id, { focus = false, tell = true } = {}) {
    this.selected = id;
    const index = this.index();
    if (index >= 0) this.#reveal(index);
    this.#draw();
    if (focus) this.node.focus();
    if (tell && index >= 0) this.onSelect(this.rows[index]);
  }

  #reveal(index) {
    const top = index * this.height;
    const { scrollTop, clientHeight } = this.node;
    if (top < scrollTop) this.node.scrollTop = top;
    else if (top + this.height > scrollTop + clientHeight) {
      this.node.scrollTop = top + this.height - clientHeight;
    }
  }

  move(step) {
    if (!this.rows.length) return;
    const next = Math.min(this.rows.length - 1, Math.max(0, this.index() + step));
    if (this.rows[next]) this.select(this.rows[next].id);
    else this.#reveal(next); // its page is on the way; the next press finds it
  }

  refresh() {
    for (const [id, { node, row }] of this.#drawn) this.tick(row, node, id);
  }

  #key(event) {
    const page = Math.max(1, Math.floor(this.node.clientHeight / this.height) - 1);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page,
      Home: -this.rows.length, End: this.rows.length }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.move(step);
  }

  #draw(changed = false) {
    const [first, last] = this.view;
    const visible = new Map();
    let missing = false;
    for (let i = first; i <= last && i < this.rows.length; i += 1) {
      if (this.rows[i]) visible.set(this.rows[i].id, i);
      else missing = true;
    }
    const at = this.index();
    if (at >= 0) visible.set(this.selected, at); // aria-activedescendant needs it drawn
    for (const [id, { node }] of this.#drawn) {
      if (!visible.has(id)) {
        node.remove();
        this.#drawn.delete(id);
      }
    }
    for (const [id, index] of [...visible].sort((a, b) => a[1] - b[1])) {
      this.#option(id, index, changed);
    }
    if (at >= 0) this.node.setAttribute("aria-activedescendant", `option-${this.selected}`);
    else this.node.removeAttribute("aria-activedescendant");
    if (missing) this.onNeed(first, last);
  }

  #option(id, index, changed) {
    const row = this.rows[index];
    let drawn = this.#drawn.get(id);
    if (!drawn) {
      const node = h("div.option", { role: "option", id: `option-${id}`,
        onclick: () => this.select(id), ondblclick: () => this.onOpen(this.rows[this.index(id)]) });
      drawn = { node, row: null };
      this.#drawn.set(id, drawn);
      this.canvas.append(node);
    }
    if (!drawn.row || (changed && drawn.row.stamp !== row.stamp)) {
      drawn.node.replaceChildren(this.renderRow(row));
    }
    drawn.row = row;
    drawn.node.style.setProperty("transform", `translateY(${index * this.height}px)`);
    drawn.node.setAttribute("aria-posinset", String(index + 1));
    drawn.node.setAttribute("aria-setsize", String(this.rows.length));
    drawn.node.setAttribute("aria-selected", String(id === this.selected));
    this.tick(row, drawn.node, id);
  }
}
