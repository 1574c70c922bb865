/** The console's frame: who is signed in, which area is shown, what is live. */
import { fill, h } from "../lib/dom.js";
import { EventStream } from "../lib/stream.js";
import { ROOT, StaffApi } from "./api.js";
import { ConversationsView } from "./conversations.js";
import { dialogOpen, help } from "./dialogs.js";
import { LeadView } from "./lead.js";
import { Notifier } from "./notify.js";
import { QueueView } from "./queue.js";
import { identify } from "./signin.js";
import { nextTheme, theme } from "./theme.js";

/** A burst of events becomes one fetch; 150 ms is not felt as a delay. */
const GATHER_MS = 150;
/** Waiting times come from the server now and then, should an event have been missed. */
const REFRESH_MS = 60_000;

const root = document.getElementById("app");
const api = new StaffApi();
const notifier = new Notifier();

class Console {
  #views = {};
  #area = null;
  #gather = {};
  #timers = [];

  constructor(me) {
    this.me = me;
    this.status = h("p.visually-hidden", { role: "status" });
    this.line = h("span.line", { role: "status" });
    this.tabs = {};
    const shared = { api, me, announce: (text) => (this.status.textContent = text) };
    const view = (name, View, title, plural) => {
      const count = h("span.count");
      this.tabs[name] = h("a.tab", { href: `#/${name}` }, title, count);
      this.#views[name] = new View({ ...shared,
        onCount: (n) => {
          count.textContent = n ? n.toLocaleString() : "";
          this.#title();
        },
        onNew: (n) => notifier.tell(`${n} ${plural}`) });
    };
    if (me.role !== "agent") view("queue", QueueView, "Review queue", "new to review");
    view("conversations", ConversationsView, "Conversations", "waiting for a person");
    if (me.role === "admin") view("overview", LeadView, "Overview", "");
    this.main = h("main", { id: "main", tabindex: "-1" });
    this.#frame();
    this.#listen();
  }

  #frame() {
    fill(root,
      h("a.skip", { href: "#main", onclick: (event) => {
        event.preventDefault();
        this.main.focus();
      } }, "Skip to content"),
      h("header.top",
        h("img", { src: new URL("../favicon.svg", import.meta.url).href, alt: "", width: "28", height: "28" }),
        h("h1", "Console"), h("nav", { "aria-label": "Areas" }, Object.values(this.tabs)),
        h("div.tools", this.line, this.#toggles(),
          h("button.quiet", { type: "button", title: "Colours: system, light or dark", onclick: (event) => {
            event.currentTarget.textContent = `Colours: ${nextTheme()}`;
          } }, `Colours: ${theme()}`),
          h("button.quiet", { type: "button", "aria-label": "Keyboard help", title: "Keyboard help (?)", onclick: help }, "?"),
          h("span.me", h("strong", this.me.name), h("span", this.me.role)),
          h("button.quiet", { type: "button", onclick: () => this.signOut() }, "Sign out"))),
      this.main, this.status);
  }

  #toggles() {
    const toggle = (label, symbol, isOn, set) => {
      const button = h("button.quiet.toggle", { type: "button", "aria-pressed": String(isOn()), title: label,
        "aria-label": label, onclick: async () => {
          const problem = await set(!isOn());
          button.setAttribute("aria-pressed", String(isOn()));
          if (problem) this.#say(problem);
        } }, symbol);
      return button;
    };
    return [
      toggle("Sound for new work", "Sound", () => notifier.sound, (on) => notifier.setSound(on)),
      toggle("Alerts in the browser for new work", "Alerts", () => notifier.desktop, (on) => notifier.setDesktop(on)),
    ];
  }

  #say(text) {
    this.status.textContent = text;
    fill(this.line, text);
  }

  #listen() {
    this.controller = new AbortController();
    const { signal } = this.controller;
    window.addEventListener("hashchange", () => this.route(), { signal });
    document.addEventListener("keydown", (event) => this.#key(event), { signal });
    this.stream = new EventStream({
      url: new URL("v1/staff/events", ROOT).href,
      headers: () => api.headers(),
      onEvent: ({ event, data }) => this.#event(event, data),
      onState: (state) => this.#lineState(state),
      onDenied: () => this.signOut("You were signed out. Sign in again; what you had typed is kept."),
    });
    const each = (ms, work) => this.#timers.push(setInterval(work, ms));
    each(1000, () => this.#views[this.#area]?.tick());
    each(REFRESH_MS, () => this.#refresh());
    for (const view of Object.values(this.#views)) view.refresh();
  }

  #lineState(state) {
    const live = state === "open";
    this.line.className = `line ${live ? "live" : "dead"}`;
    fill(this.line, live ? "On duty" : "Reconnecting …");
    if (live && this.wasDead) this.#refresh(); // events that the gap swallowed
    this.wasDead = !live;
  }

  #event(event, data) {
    const area = { item: "queue", conversation: "conversations" }[event];
    if (!this.#views[area]) return;
    const waiting = (this.#gather[area] ??= new Map());
    waiting.set(data.id, data);
    this.#gather[`${area}:timer`] ??= setTimeout(() => {
      this.#gather[`${area}:timer`] = null;
      const all = [...waiting.values()];
      waiting.clear();
      const view = this.#views[area];
      const open = area === "queue" ? view.item.id : view.detail.id;
      view.event(all.find((one) => one.id === open) ?? all[0]);
    }, GATHER_MS);
  }

  #refresh() {
    for (const view of Object.values(this.#views)) view.refresh();
  }

  #title() {
    const counts = Object.values(this.tabs).map((tab) => tab.lastElementChild.textContent).filter(Boolean);
    document.title = counts.length ? `(${counts.join(" + ")}) Console` : "Console";
  }

  route() {
    const [, area, id] = location.hash.split("/");
    const name = this.#views[area] ? area : Object.keys(this.#views)[0];
    const view = this.#views[name];
    if (name !== this.#area) {
      this.#area = name;
      for (const [other, tab] of Object.entries(this.tabs)) {
        if (other === name) tab.setAttribute("aria-current", "page");
        else tab.removeAttribute("aria-current");
      }
      fill(this.main, view.node);
      view.shown?.();
    }
    if (id) view.openId(decodeURIComponent(id));
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || dialogOpen()) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (target.closest("input, textarea, select")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    if (event.key === "Enter" && target.closest("a, button, summary")) return;
    if (event.key === "?") help();
    else if (["1", "2", "3"].includes(event.key)) {
      const name = Object.keys(this.#views)[Number(event.key) - 1];
      if (name) location.hash = `#/${name}`;
    } else if (!this.#views[this.#area].key(event.key)) return;
    event.preventDefault();
  }

  /** With a note the session ended by itself: what was typed stays for the next sign-in. */
  signOut(note = "") {
    if (note) api.key = "";
    else {
      api.signOut().catch(() => {}); // the session ends by its own time
      for (const name of Object.keys(sessionStorage)) {
        if (name.startsWith("deskgate:")) sessionStorage.removeItem(name);
      }
    }
    this.stream.close();
    this.controller.abort();
    this.#timers.forEach(clearInterval);
    document.title = "Console";
    run(note, true);
  }
}

async function run(note = "", ask = false) {
  const me = await identify(api, root, { title: "Console", note, ask });
  const app = new Console(me);
  api.onDenied = () => {
    api.onDenied = () => {};
    app.signOut("You were signed out. Sign in again; what you had typed is kept.");
  };
  app.route();
}

run();
