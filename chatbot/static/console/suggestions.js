/** Drafts for a person who answers: shown with their sources and the gate's word on each. */
import { fill, h, safeUrl } from "../lib/dom.js";
import { inWords, ROOT } from "./api.js";
import { reasonList, verdictTag, words } from "./evidence.js";

const ROLES = { customer: "customer", bot: "bot", person: "person" };

/** Stored messages -> the transcript that the endpoint takes. Notices are nobody's words. */
export function transcriptOf(messages) {
  return messages.filter((m) => ROLES[m.author.kind])
    .map((m) => ({ role: ROLES[m.author.kind], text: m.text }));
}

export function suggestionNodes(found, { insert, label }) {
  const percent = (p) => (typeof p === "number" ? `${Math.round(p * 100)} %` : "");
  const draft = (d) => h("li.draft",
    h("p.facts", verdictTag(d.verdict), h("span.muted", `confidence ${percent(d.confidence)}`)),
    h("p.text", { dir: "auto" }, d.text),
    d.citations?.length ? h("p.muted", `Sources: ${[...new Set(d.citations.map((c) => c.title))].join(" · ")}`) : null,
    d.reasons?.length ? reasonList(d.reasons) : null,
    h("button", { type: "button", onclick: (event) => insert(d.text, event.currentTarget) }, label));
  const articles = (found.articles ?? []).map((a) => {
    const href = safeUrl(a.url ?? "", ROOT);
    return h("li", href && a.url ? h("a", { href, target: "_blank", rel: "noopener" }, a.title) : a.title);
  });
  return [
    found.summary && h("div.summary-box", h("p.subhead", "Summary"), h("p", { dir: "auto" }, found.summary)),
    found.next_step && h("div.summary-box", h("p.subhead", "Next step"), h("p", { dir: "auto" }, found.next_step)),
    found.drafts?.length ? h("ol.drafts", found.drafts.map(draft))
      : h("p.muted", "No draft: nothing in the help articles fits."),
    found.intent && h("p.muted", `Intent: ${words(found.intent)} ${percent(found.confidence)}`),
    found.entities?.length ? h("ul.entities", found.entities.map((e) =>
      h("li", h("span.tag.who", words(String(e.label).toLowerCase())), e.text))) : null,
    articles.length ? h("div", h("p.subhead", "Articles"), h("ul.articles", articles)) : null,
  ];
}

export class Suggestions {
  #asked = 0;

  constructor({ api, onInsert }) {
    Object.assign(this, { api, onInsert });
    this.body = h("div", { "aria-live": "polite" });
    this.again = h("button", { type: "button", onclick: () => this.ask(this.id, this.messages) }, "Suggest again");
    this.node = h("section.suggestions", h("div.side-head", h("h3", "Suggestions"), this.again), this.body);
  }

  /** Remembers what to ask about without asking. */
  offer(id, messages) {
    Object.assign(this, { id, messages });
  }

  async ask(id, messages) {
    this.offer(id, messages);
    const transcript = transcriptOf(messages);
    if (!transcript.length) return;
    const asked = (this.#asked += 1);
    fill(this.body, h("p.muted", "Thinking …"));
    try {
      const found = await this.api.post("assist/suggestions", { transcript, conversation_id: id });
      if (asked !== this.#asked) return;
      fill(this.body, suggestionNodes(found, { insert: this.onInsert, label: "Insert" }));
    } catch (error) {
      if (asked === this.#asked) fill(this.body, h("p.muted", `No suggestions. ${inWords(error)}`));
    }
  }
}
