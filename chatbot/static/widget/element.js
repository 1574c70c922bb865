/** The custom element: launcher, panel, and the translation of events into the transcript. */
import { fill, h, icon } from "../lib/dom.js";
import { composer } from "./composer.js";
import { Consent } from "./consent.js";
import { Session } from "./session.js";
import { describe, STRINGS } from "./strings.js";
import { sheet } from "./style.js";
import { Transcript } from "./transcript.js";

const NARROW = "(max-width: 480px)";
/** The typing dots go by themselves if the word that ends them is lost. */
const TYPING_LASTS_MS = 20_000;
/** "Connecting" is worth saying only when it takes long enough to be noticed. */
const PATIENCE_MS = 1500;

export class DeskgateChat extends HTMLElement {
  static defaultApi = document.baseURI;

  #strings = STRINGS;
  #built = false;
  #state = "bot";
  #person = "";
  #lastText = "";
  #lastSentAt = null;
  #unread = 0;
  #timers = {};
  lastId = 0;

  set strings(own) {
    this.#strings = { ...STRINGS, ...own };
  }

  connectedCallback() {
    if (this.#built) return;
    this.#built = true;
    this.#build();
    const api = new URL(this.getAttribute("api") || DeskgateChat.defaultApi, document.baseURI);
    if (!api.pathname.endsWith("/")) api.pathname += "/";
    this.context.api = api.href;
    this.session = this.context.session = new Session({
      api: api.href,
      key: this.getAttribute("key") ?? "",
      start: this.#startBody(),
      handlers: {
        onCompany: (company) => this.#company(company),
        onConsent: (consent) => this.consent.take(consent),
        onHistory: (history) => this.#history(history),
        onEvent: (event) => this.#event(event),
        onLine: (state, error) => this.#line(state, error),
        onOutgoing: (entry) => this.#outgoing(entry),
        onRenewed: (reason) => this.#renewed(reason),
      },
    });
    // Somebody who waits for an answer hears of it on any page of the site.
    this.session.resume().catch(() => {}); // opening the chat tries again and says why not
    if (this.hasAttribute("open")) this.show();
  }

  disconnectedCallback() {
    queueMicrotask(() => {
      if (this.isConnected) return; // only moved within the page
      this.session?.destroy();
      this.#built = false;
      this.shadowRoot?.replaceChildren();
    });
  }

  #startBody() {
    const body = {};
    for (const name of ["customer", "signature", "locale"]) {
      if (this.hasAttribute(name)) body[name] = this.getAttribute(name);
    }
    const consent = this.getAttribute("training-consent");
    if (["true", "false"].includes(consent)) body.training_consent = consent === "true";
    return body;
  }

  #build() {
    const strings = this.#strings;
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    this.context = { strings, company: null, api: "", session: null, say: (text) => this.#say(text) };
    this.consent = new Consent(this.context);
    const button = (name, label, onclick) => h("button.icon-button", {
      type: "button", "aria-label": label, title: label, onclick }, icon(name));

    this.launcher = h("button.launcher", { type: "button", part: "launcher", "aria-haspopup": "dialog",
      "aria-expanded": "false", "aria-label": strings.launcher, onclick: () => this.toggle() },
    icon("chat", "icon chat"), icon("down", "icon shut"), h("span.unread", { hidden: true }));
    this.heading = h("h2", { id: "title" });
    this.subtitle = h("p.subtitle");
    this.log = h("ol.log");
    this.typing = h("div.typing", { hidden: true }, h("span.dots", { "aria-hidden": "true" },
      h("i"), h("i"), h("i")), h("span.visually-hidden", { role: "status" }));
    this.aiNotice = h("p.ai-notice", { part: "ai-notice" });
    this.lineStatus = h("p.line", { role: "status" });
    this.scroller = h("div.scroller", { tabindex: "0", role: "group", "aria-label": strings.log },
      this.aiNotice, this.consent.question, h("div", { role: "log", "aria-live": "polite", "aria-relevant": "additions",
        "aria-label": strings.log }, this.log), this.typing);
    this.composer = composer(strings, (text) => this.#send(text));
    this.personButton = h("button.link.person", { type: "button", part: "talk-to-person",
      onclick: () => this.#askForPerson() }, icon("person"), strings.talkToPerson);
    this.endButton = button("end", strings.end, () => this.#confirmEnd());
    this.confirm = h("div.confirm", { hidden: true, role: "group", "aria-label": strings.end });
    this.panel = h("div.panel", { part: "panel", role: "dialog", "aria-labelledby": "title",
      hidden: true },
    h("div.head", { part: "header" }, h("span.avatar.big", { "aria-hidden": "true" }, icon("spark")),
      h("div.titles", this.heading, this.subtitle), this.endButton,
      button("close", strings.close, () => this.hide())),
    this.confirm, this.scroller, this.lineStatus,
    this.consent.panel,
    h("div.foot", { part: "footer" }, this.composer.node,
      h("div.footer-row", this.personButton, this.consent.button)));
    this.panel.addEventListener("keydown", (event) => this.#keys(event));
    root.append(this.panel, this.launcher);
    this.transcript = new Transcript(this.context, { log: this.log });
    // Follow the conversation unless the reader has scrolled up to read.
    new MutationObserver(() => this.#follow()).observe(this.log, { childList: true, subtree: true });
    this.scroller.addEventListener("scroll", () => {
      const { scrollTop, scrollHeight, clientHeight } = this.scroller;
      this.reading = scrollHeight - scrollTop - clientHeight > 80;
    }, { passive: true });
    this.#present();
  }

  toggle() {
    if (this.panel.hidden) this.show();
    else this.hide();
  }

  /** Opens the chat; `text` is filled in for the visitor to send. */
  show(text = "") {
    this.panel.hidden = false;
    this.panel.setAttribute("aria-modal", String(matchMedia(NARROW).matches));
    this.launcher.setAttribute("aria-expanded", "true");
    this.toggleAttribute("data-open", true);
    if (text) this.composer.prefill(text);
    this.composer.update();
    this.composer.focus();
    this.reading = false;
    this.#follow();
    this.#read();
    this.#start();
  }

  hide() {
    this.panel.hidden = true;
    this.launcher.setAttribute("aria-expanded", "false");
    this.toggleAttribute("data-open", false);
    this.launcher.focus();
  }

  async #start() {
    this.#timers.slow = setTimeout(() => this.#say(this.#strings.connecting), PATIENCE_MS);
    try {
      await this.session.start();
      this.#say("");
    } catch (error) {
      this.#line("failed", error);
    } finally {
      clearTimeout(this.#timers.slow);
    }
  }

  #keys(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      this.hide();
    }
    if (event.key !== "Tab" || !matchMedia(NARROW).matches) return;
    const all = [...this.panel.querySelectorAll("a[href], button, textarea, input, [tabindex='0']")]
      .filter((node) => !node.disabled && node.checkVisibility());
    const edge = event.shiftKey ? all[0] : all.at(-1);
    if (this.shadowRoot.activeElement !== edge) return;
    event.preventDefault();
    (event.shiftKey ? all.at(-1) : all[0]).focus();
  }

  #company(company) {
    this.context.company = company;
    this.aiNotice.textContent = company.ai_notice ?? "";
    this.transcript.greeting(company.greeting);
    this.#present();
  }

  #history({ messages, state }) {
    for (const message of messages) {
      if (message.author.kind === "customer") this.#lastSentAt = Date.parse(message.created_at);
      this.transcript.message(message);
      if (["bot", "person"].includes(message.author.kind)) this.#count("message", message.position);
    }
    this.#person = messages.findLast((m) => m.author.kind === "person")?.author.name ?? "";
    this.#present(state);
  }

  #event({ event, data, id }) {
    const t = this.transcript;
    if (event === "typing") return this.#typing(data.on);
    if (event === "received") t.received(data.message);
    else if (event === "sentence") t.sentence(data, id);
    else if (event === "message") t.message(data.message);
    else if (event === "held") t.held(data, id, Math.min(this.#lastSentAt ?? Date.now(), Date.now()));
    else if (event === "handover") t.handover(data, id);
    else if (event === "joined" || event === "left") t.notice(data.text, id);
    else if (event === "withdrawn") {
      t.release(data.message_id);
      t.notice(data.text, id);
    } else if (event === "error") t.error(data, id, this.#lastText && (() => this.#send(this.#lastText)));
    else if (event === "closed") t.ended(data.text || this.#strings.ended, id, () => this.#startNew());
    else return undefined; // a newer server's event

    const next = { handover: "waiting", joined: "person", left: "bot", closed: "closed" }[event];
    if (event === "joined") this.#person = data.name ?? "";
    if (event === "received" && this.#state === "closed") this.#present("bot");
    if (next) this.#present(next);
    if (event !== "received") this.#typing(false);
    if (id !== null) this.#count(event, id);
    return undefined;
  }

  /** Unread marks the launcher; what was seen in any tab of the site counts as read. */
  #count(event, id) {
    if (id <= this.lastId) return; // history and log overlap
    const visible = !this.panel.hidden && document.visibilityState === "visible";
    if (visible) this.session.markSeen(id);
    else if (["message", "joined", "handover"].includes(event) && id > this.session.seen) {
      this.#unread += 1;
    }
    this.lastId = id;
    this.#badge();
  }

  #read() {
    this.#unread = 0;
    if (this.lastId) this.session.markSeen(this.lastId);
    this.#badge();
  }

  #badge() {
    const badge = this.launcher.querySelector(".unread");
    badge.hidden = !this.#unread;
    badge.textContent = this.#unread > 9 ? "9+" : String(this.#unread);
    this.launcher.setAttribute("aria-label",
      this.#unread ? this.#strings.launcherUnread : this.#strings.launcher);
  }

  #typing(on) {
    clearTimeout(this.#timers.typing);
    this.typing.hidden = !on;
    const name = this.#state === "person" ? this.#person : this.context.company?.bot_name;
    this.typing.lastElementChild.textContent = on ? this.#strings.typing(name ?? "") : "";
    if (on) this.#timers.typing = setTimeout(() => this.#typing(false), TYPING_LASTS_MS);
    this.#follow();
  }

  #send(text) {
    this.#lastText = text;
    this.#lastSentAt = Date.now();
    this.reading = false;
    if (this.#state === "closed") this.#present("bot");
    this.session.send(text);
  }

  #outgoing(entry) {
    this.transcript.outgoing(entry, {
      reason: (error) => describe(error, this.#strings),
      retry: () => this.session.resend({ key: entry.key, text: entry.text }),
    });
  }

  async #askForPerson() {
    this.personButton.disabled = true;
    this.#say(this.#strings.personAsked);
    try {
      await this.session.requestPerson();
      this.#say("");
    } catch (error) {
      this.#say(describe(error, this.#strings));
    } finally {
      this.personButton.disabled = false;
    }
  }

  #confirmEnd() {
    const strings = this.#strings;
    const done = () => {
      this.confirm.hidden = true;
      this.endButton.focus();
    };
    const end = async () => {
      done();
      try {
        await this.session.end();
      } catch (error) {
        this.#say(describe(error, strings));
      }
    };
    const yes = h("button.primary", { type: "button", onclick: end }, strings.endYes);
    fill(this.confirm, h("p", strings.endQuestion),
      h("div.row", yes, h("button.link", { type: "button", onclick: done }, strings.endNo)));
    this.confirm.hidden = false;
    yes.focus();
  }

  async #startNew() {
    try {
      await this.session.startNew();
      this.composer.focus();
    } catch {
      return; // onLine has told
    }
  }

  #renewed(reason) {
    const { expired, otherTab } = this.#strings;
    this.transcript.renew({ expired, "other-tab": otherTab }[reason] ?? "");
    this.#person = "";
    this.lastId = 0;
    this.#present("bot");
  }

  #line(state, error) {
    clearTimeout(this.#timers.line);
    if (state === "open") this.#say("");
    if (state === "failed") this.#say(describe(error, this.#strings), () => this.#start());
    if (state === "waiting") {
      this.#timers.line = setTimeout(() => this.#say(this.#strings.reconnecting), PATIENCE_MS);
    }
  }

  #say(text, retry) {
    fill(this.lineStatus, text,
      retry && h("button.link", { type: "button", onclick: retry }, this.#strings.retry));
  }

  #present(state = this.#state) {
    this.#state = state;
    const { company, strings } = this.context;
    const name = company?.bot_name ?? "";
    this.heading.textContent = name || strings.title;
    this.subtitle.textContent = {
      waiting: strings.subtitleWaiting,
      person: strings.subtitlePerson(this.#person),
      closed: strings.subtitleClosed,
    }[state] ?? strings.subtitleBot;
    this.panel.dataset.state = state;
    this.personButton.hidden = state !== "bot";
    this.endButton.hidden = state === "closed";
  }

  #follow() {
    if (!this.reading && !this.panel.hidden) {
      requestAnimationFrame(() => (this.scroller.scrollTop = this.scroller.scrollHeight));
    }
  }
}
