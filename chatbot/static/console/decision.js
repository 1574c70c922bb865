/** The reviewer's hand: approve, edit, reject, redraft, give back; and what the gate says to it. */
import { fill, h, icon } from "../lib/dom.js";
import { inWords } from "./api.js";
import { assign, itemPath } from "./assign.js";
import { decideAlike } from "./bulk.js";
import { ask } from "./dialogs.js";
import { reasonList } from "./evidence.js";

/** Unsent edits survive a reload of the page, in this tab only, until the item is resolved. */
const KEPT = (id) => `deskgate:edit:${id}`;

/** The part of the draft that the customer has not seen. */
export function remainder(item) {
  const { draft = "", released_prefix: prefix = "" } = item;
  return (prefix && draft.startsWith(prefix) ? draft.slice(prefix.length) : draft).trim();
}

export class Decision {
  busy = false;
  #mine = false;

  constructor({ api, announce, view }) {
    Object.assign(this, { api, announce, view });
    const { item } = view;
    this.draft = remainder(item);
    const button = (label, key, action, style = "") => h(`button${style}`, {
      type: "button", "aria-keyshortcuts": key, onclick: action }, label, h("kbd", { "aria-hidden": "true" }, key));
    this.buttons = {
      claim: button("Take this item", "Enter", () => view.claim(), ".primary"),
      approve: button("Approve", "a", () => this.approve(), ".primary"),
      edit: button("Edit", "e", () => this.box.focus()),
      reject: button("Reject", "r", () => this.reject()),
      redraft: button("Redraft", "d", () => this.redraft()),
      unclaim: button("Give back", "u", () => this.unclaim()),
      alike: button(`${item.identical} alike`, "b", () => this.alike()),
      assign: button("Assign", "s", () => this.assign()),
    };
    this.toolbar = h("div.toolbar", { role: "toolbar", "aria-label": "Decision" },
      Object.values(this.buttons));
    this.box = h("textarea.edit", { rows: "7", dir: "auto", value: sessionStorage.getItem(KEPT(item.id)) ?? this.draft,
      "aria-describedby": "edit-hint", oninput: () => this.#typed() });
    this.send = h("button.primary", { type: "button", onclick: () => this.edit() }, "Send edit",
      h("kbd", { "aria-hidden": "true" }, "Ctrl ⏎"));
    this.undo = h("button", { type: "button", onclick: () => this.#reset() }, "Back to the draft");
    this.refusal = h("div.refusal", { role: "alert" });
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.box.blur();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.edit();
      }
    });
    this.node = h("section.answer", h("h3", "Answer"),
      item.released_prefix && h("div.locked", icon("lock", "icon small"),
        h("div", h("p.muted", "The customer has read this already; it stays."),
          h("p.text", { dir: "auto" }, item.released_prefix))),
      h("label.field", h("span", item.released_prefix ? "The rest of the answer" : "The answer"), this.box),
      h("p.muted", { id: "edit-hint" }, "The customer sees exactly this text."),
      this.refusal, h("div.buttons", this.send, this.undo));
  }

  get edited() {
    return this.box.value.trim() !== this.draft;
  }

  update(item, mine) {
    this.#mine = mine;
    const open = item.state === "open";
    const held = Boolean(item.holder) && !mine;
    this.buttons.claim.hidden = mine || !open;
    this.buttons.claim.disabled = held;
    for (const name of ["approve", "edit", "reject", "redraft", "unclaim"]) {
      this.buttons[name].hidden = !mine;
    }
    this.buttons.assign.hidden = !open;
    this.buttons.alike.hidden = !mine || !(item.identical > 1);
    // What the customer has read cannot be written anew.
    this.buttons.redraft.disabled = Boolean(item.released_prefix);
    this.buttons.redraft.classList.toggle("primary", item.stale);
    this.buttons.approve.classList.toggle("primary", !item.stale);
    this.buttons.approve.firstChild.data = item.stale ? "Approve as it is" : "Approve";
    this.box.readOnly = !mine;
    this.send.hidden = this.undo.hidden = !mine;
    this.#typed(false);
  }

  #typed(save = true) {
    const { edited } = this;
    this.send.disabled = this.busy || !this.box.value.trim();
    this.undo.disabled = !edited;
    this.buttons.approve.disabled = this.busy || edited || !this.draft;
    this.buttons.approve.title = edited ? "You have changed the text: send the edit instead." : "";
    if (save) this.keep();
  }

  keep() {
    const { id } = this.view.item;
    if (this.edited) sessionStorage.setItem(KEPT(id), this.box.value);
    else sessionStorage.removeItem(KEPT(id));
  }

  #reset() {
    this.box.value = this.draft;
    fill(this.refusal);
    this.#typed();
    this.box.focus();
  }

  async #act(action, body, { done, refused } = {}) {
    if (!this.#mine || this.busy) return;
    const { id, version } = this.view.item;
    this.busy = true;
    this.toolbar.toggleAttribute("inert", true);
    this.send.disabled = true;
    try {
      const result = await this.api.post(this.view.path(action), { version, ...body });
      this.view.warn("");
      done?.(result, id);
    } catch (error) {
      if (error.status === 409) this.#conflict(error);
      else if (error.status === 422 && refused && error.problem.reasons) refused(error.problem);
      else this.view.warn(inWords(error));
    } finally {
      this.busy = false;
      this.toolbar.toggleAttribute("inert", false);
      this.#typed(false);
    }
  }

  #conflict(error) {
    const again = h("button", { type: "button", onclick: () => this.view.reload(true) }, "Load it again");
    const detail = error.problem.detail ? ` (${error.problem.detail})` : "";
    this.view.warn("This item has changed since you opened it, or your claim has run out. Nothing "
      + `was sent and your text is kept${detail}.`, again);
  }

  #resolved(words, id) {
    sessionStorage.removeItem(KEPT(id));
    this.announce(words);
    this.view.onResolved([id]);
  }

  async approve() {
    if (!this.draft || !this.#mine) return;
    const { stale } = this.view.item;
    if (stale && !await ask({ title: "Approve a stale draft", confirm: "Approve as it is", fields: [],
      intro: "The customer wrote again after this draft. It is sent as it is, and the newer message is "
        + "answered after it." })) return;
    this.#act("approve", stale ? { although_stale: true } : {}, { done: (_, id) => this.#resolved("Approved and sent.", id) });
  }

  edit(overrideReason) {
    const text = this.box.value.trim();
    if (!text) return;
    const body = overrideReason ? { text, override_reason: overrideReason } : { text };
    fill(this.refusal);
    this.#act("edit", body, {
      done: (_, id) => this.#resolved("Your answer was sent.", id),
      refused: (problem) => this.#refused(problem),
    });
  }

  /** The gate refuses the reviewer's words: why, and for some roles a way past it on the record. */
  #refused({ reasons, may_override: mayOverride }) {
    const title = h("p.refusal-title", icon("alert", "icon small"), h("strong",
      "The gate refuses this text. It was not sent."));
    fill(this.refusal, title, reasonList(reasons), mayOverride ? this.#override()
      : h("p", "Change the text and send it again."));
    this.refusal.scrollIntoView({ block: "nearest" });
  }

  #override() {
    const reason = h("textarea", { rows: "2", maxlength: "500", dir: "auto" });
    const override = h("button.danger", { type: "button", onclick: () => {
      if (reason.value.trim()) this.edit(reason.value.trim());
      else {
        reason.setAttribute("aria-invalid", "true");
        reason.focus();
      }
    } }, "Send anyway");
    return [h("p", "Change the text and send it again, or say why it is right. Your reason goes into the audit trail."),
      h("label.field", h("span", "Reason for sending it anyway"), reason), h("div.buttons", override)];
  }

  async reject() {
    if (!this.#mine) return;
    const answer = await ask({ title: "Reject this draft", danger: true, confirm: "Reject and reply",
      intro: "The draft is discarded. The customer gets your reply instead.",
      fields: [{ name: "reason", label: "Reason, for the team and for training", rows: 2, required: true, max: 500 },
        { name: "reply", label: "Reply to the customer", rows: 4, required: true,
          value: this.edited ? this.box.value : "" }] });
    if (!answer) return;
    this.#act("reject", answer, {
      done: (_, id) => this.#resolved("Rejected, and your reply was sent.", id),
      refused: (problem) => {
        this.box.value = answer.reply;
        this.#typed();
        this.#refused(problem);
      },
    });
  }

  redraft() {
    this.view.warn("A new draft is being written …");
    this.#act("redraft", {}, { done: () => {
      sessionStorage.removeItem(KEPT(this.view.id));
      this.box.value = this.draft;
      this.announce("The new draft is here.");
      this.view.reload();
    } });
  }

  /** Every open item with this very draft, in one act. */
  async alike() {
    if (!this.#mine || this.busy) return;
    const decided = await decideAlike(this.api, this.view.item);
    if (!decided) return;
    this.announce(decided.words);
    if (decided.done.includes(this.view.id)) {
      this.view.onResolved([this.view.id, ...decided.done.filter((id) => id !== this.view.id)]);
    } else this.view.reload();
    this.view.onChanged();
  }

  /** Keeps the item for a colleague; who holds it keeps the claim. */
  async assign() {
    const { item } = this.view;
    const kept = await assign(this.api, this.view.me, { path: itemPath(item.id),
      assignee: item.assignee, roles: ["reviewer", "admin"] });
    if (!kept) return;
    this.announce(kept.assignee ? `Kept for ${kept.assignee.name}.` : "Free for all.");
    this.view.merge(kept);
    this.view.onChanged();
  }

  unclaim() {
    this.#act("unclaim", {}, { done: (item) => {
      this.view.merge({ holder: null, lease_until: null, ...item, id: this.view.id });
      this.view.onChanged();
      this.announce("The item is free for others.");
    } });
  }

  key(key) {
    if (key === "s" && !this.buttons.assign.hidden) {
      this.assign();
      return true;
    }
    if (!this.#mine) return false;
    const action = { a: () => this.buttons.approve.disabled || this.approve(), e: () => this.box.focus(),
      r: () => this.reject(), d: () => this.buttons.redraft.disabled || this.redraft(),
      u: () => this.unclaim(), b: () => this.buttons.alike.hidden || this.alike() }[key];
    if (!action) return false;
    action();
    return true;
  }
}
