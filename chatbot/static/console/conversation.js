/** One conversation: read it, take it over, write in it, hand it back. */
import { fill, h, icon } from "../lib/dom.js";
import { inWords } from "./api.js";
import { assign, conversationPath } from "./assign.js";
import { messageList, reasonList } from "./evidence.js";
import { Suggestions } from "./suggestions.js";
import { showTrail } from "./trail.js";

const STATES = { bot: "The bot is answering", waiting: "Waiting for a person", person: "A person is answering",
  closed: "Closed" };

export class ConversationView {
  #id = null;
  #state = null;
  #messages = [];
  #assignee = null;
  #drafts = new Map();

  constructor({ api, me, announce, root, onChanged }) {
    Object.assign(this, { api, me, announce, root, onChanged });
    fill(root, h("div.empty", h("h2", "Nothing is open"), h("p", "Choose a conversation, or press j.")));
  }

  get id() {
    return this.#id;
  }

  async open(id) {
    if (this.box && this.#id) this.#drafts.set(this.#id, this.box.value);
    this.#id = id;
    this.#messages = [];
    this.root.setAttribute("aria-busy", "true");
    try {
      const found = await this.#fetch(id);
      if (id !== this.#id) return;
      this.#build();
      this.#take(found);
    } catch (error) {
      if (id !== this.#id) return;
      fill(this.root, h("div.empty", { role: "alert" }, h("h2", "This conversation could not be opened"),
        h("p", inWords(error)), h("button", { type: "button", onclick: () => this.open(id) }, "Try again")));
    } finally {
      this.root.removeAttribute("aria-busy");
    }
  }

  #fetch(id) {
    return this.api.get(`conversations/${encodeURIComponent(id)}`);
  }

  #build() {
    this.heading = h("h2");
    this.facts = h("p.facts");
    this.take = h("button.primary", { type: "button", "aria-keyshortcuts": "t", onclick: () => this.takeover() },
      "Take over", h("kbd", { "aria-hidden": "true" }, "t"));
    this.keep = h("button", { type: "button", "aria-keyshortcuts": "s", onclick: () => this.assign() }, "Assign",
      h("kbd", { "aria-hidden": "true" }, "s"));
    this.trail = h("button.link", { type: "button", hidden: this.me.role !== "admin",
      onclick: () => showTrail(this.api, this.#id) }, "Audit trail");
    this.back = h("button", { type: "button", onclick: () => this.#change("handback", {}, "Handed back to the bot.") },
      "Hand back to the bot");
    this.banner = h("div.banner", { role: "alert" });
    this.log = h("div.conversation-log", { tabindex: "0", role: "log", "aria-label": "Messages" });
    this.box = h("textarea.edit", { rows: "4", dir: "auto", value: this.#drafts.get(this.#id) ?? "" });
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.box.blur();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.reply();
    });
    this.refusal = h("div.refusal", { role: "alert" });
    this.send = h("button.primary", { type: "button", onclick: () => this.reply() }, "Send reply",
      h("kbd", { "aria-hidden": "true" }, "Ctrl ⏎"));
    this.answer = h("section.answer", h("label.field", h("span", `Reply as ${this.me.name}`), this.box),
      this.refusal, h("div.buttons", this.send));
    this.suggestions = new Suggestions({ api: this.api, onInsert: (text) => this.#insert(text) });
    fill(this.root, h("header.item-head", h("div", this.heading, this.facts),
      h("div.toolbar", { role: "toolbar", "aria-label": "Conversation" }, this.take, this.keep, this.back, this.trail)),
    this.banner, h("div.columns", h("div.main", this.log, this.answer),
      h("div.side", this.suggestions.node)));
  }

  async refresh() {
    const id = this.#id;
    try {
      const found = await this.#fetch(id);
      if (id === this.#id) this.#take(found);
    } catch (error) {
      this.warn(inWords(error));
    }
  }

  #take({ conversation, messages }) {
    const { state, urgent, contact, assignee } = conversation;
    this.#assignee = assignee;
    const heard = messages.length !== this.#messages.length || messages.at(-1)?.id !== this.#messages.at(-1)?.id;
    const before = this.#state;
    this.#state = state;
    this.#messages = messages;
    const owner = conversation.owner?.name ?? conversation.owner;
    this.heading.textContent = STATES[state] ?? state;
    fill(this.facts, urgent && h("span.tag.hold", "Urgent"), owner && h("span.tag.who", owner),
      assignee && h("span.tag.who", `For ${assignee.id === this.me.id ? "you" : assignee.name}`),
      contact && h("span", ["name", "email", "phone", "note"].map((k) => contact[k]).filter(Boolean).join(" · ")));
    this.take.hidden = state === "person" || state === "closed";
    this.back.hidden = state !== "person";
    this.keep.hidden = state === "person" || state === "closed";
    this.answer.hidden = state !== "person";
    if (heard) {
      fill(this.log, messages.length ? messageList(messages)
        : h("p.muted", "Nothing has been said yet."));
      this.log.scrollTop = this.log.scrollHeight;
    }
    const helpful = state === "person" || state === "waiting";
    this.suggestions.node.hidden = !helpful;
    const asked = messages.at(-1)?.author.kind === "customer";
    if (helpful && (heard ? asked || before === null : before !== state)) this.suggestions.ask(this.#id, messages);
    else if (helpful && heard) this.suggestions.offer(this.#id, messages);
  }

  warn(text) {
    fill(this.banner, text && [icon("alert", "icon small"), h("span", text)]);
  }

  async takeover() {
    if (this.take.hidden) return;
    await this.#change("takeover", { name: this.me.name }, "The conversation is yours; the bot is silent.");
    this.box.focus();
  }

  async assign() {
    if (this.keep.hidden) return;
    const kept = await assign(this.api, this.me, { path: conversationPath(this.#id), assignee: this.#assignee,
      roles: ["agent", "reviewer", "admin"] });
    if (!kept) return;
    this.announce(kept.assignee ? `Kept for ${kept.assignee.name}.` : "Free for all.");
    await this.refresh();
    this.onChanged();
  }

  async #change(action, body, done) {
    const id = this.#id;
    try {
      await this.api.post(`conversations/${encodeURIComponent(id)}/${action}`, body);
      this.warn("");
      this.announce(done);
    } catch (error) {
      this.warn(error.status === 409
        ? `That is no longer possible: ${error.problem.detail ?? "a colleague was faster."}` : inWords(error));
    }
    await this.refresh();
    this.onChanged();
  }

  async reply(overrideReason) {
    const text = this.box.value.trim();
    if (!text || this.send.disabled) return;
    const body = overrideReason ? { text, override_reason: overrideReason } : { text };
    fill(this.refusal);
    this.send.disabled = true;
    try {
      await this.api.post(`conversations/${encodeURIComponent(this.#id)}/reply`, body);
      this.box.value = "";
      this.warn("");
      await this.refresh();
    } catch (error) {
      if (error.status === 422 && error.problem.reasons) this.#refused(error.problem);
      else if (error.status === 409) {
        this.warn(`Not sent; your text is kept: ${error.problem.detail ?? "this conversation is not yours now."}`);
      } else this.warn(`Not sent; your text is kept. ${inWords(error)}`);
    } finally {
      this.send.disabled = false;
      this.box.focus();
    }
  }

  #refused({ reasons, may_override: mayOverride }) {
    const reason = h("textarea", { rows: "2", maxlength: "500", dir: "auto" });
    fill(this.refusal, h("p.refusal-title", icon("alert", "icon small"),
      h("strong", "The gate refuses this text. It was not sent.")), reasonList(reasons),
    mayOverride ? "" : h("p", "Change the text and send it again."),
    mayOverride && [h("p", "Change the text, or say why it is right. The reason is audited."),
    h("label.field", h("span", "Reason for sending it anyway"), reason),
    h("div.buttons", h("button.danger", { type: "button",
      onclick: () => (reason.value.trim() ? this.reply(reason.value.trim()) : reason.focus()) }, "Send anyway"))]);
  }

  #insert(text) {
    if (this.answer.hidden) {
      this.warn("Take the conversation over first; then a suggestion can be sent.");
      return;
    }
    const { value, selectionStart: at } = this.box;
    this.box.value = value.trim() ? `${value.slice(0, at)}${text}${value.slice(at)}` : text;
    this.box.focus();
  }

  focus() {
    if (this.answer && !this.answer.hidden) this.box.focus();
    else this.log?.focus();
  }

  key(key) {
    if (key === "t" && this.take) this.takeover();
    else if (key === "s" && this.keep) this.assign();
    else if (key === "h" && this.#id && this.me.role === "admin") showTrail(this.api, this.#id);
    else return false;
    return true;
  }
}
