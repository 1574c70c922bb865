/** The nodes of one message. All text goes in as text nodes. */
import { fill, h, icon, safeUrl } from "../lib/dom.js";
import { moment } from "../lib/time.js";
import { feedback } from "./feedback.js";

export function authorLabel(author, context) {
  const { strings, company } = context;
  if (author.kind === "customer") return strings.you;
  if (author.kind === "person") return strings.personLabel(author.name, company?.name ?? "");
  return strings.botLabel(author.name || company?.bot_name || "");
}

function header(author, createdAt, context) {
  const label = authorLabel(author, context);
  return h("div.meta", { part: "meta" }, h("span.author", label),
    createdAt && h("time", { datetime: createdAt }, moment(createdAt)));
}

function avatar(author, context) {
  if (author.kind === "customer") return null;
  const name = author.name || context.company?.bot_name || "?";
  return h("span.avatar", { "aria-hidden": "true", part: `avatar avatar-${author.kind}` },
    author.kind === "bot" ? icon("spark") : Array.from(name)[0].toUpperCase());
}

/** Numbered source chips; one per article passage, in the order of their numbers. */
export function sources(citations, context) {
  const { strings, api } = context;
  const unique = [...new Map((citations ?? []).map((c) => [c.number, c])).values()]
    .sort((a, b) => a.number - b.number);
  if (!unique.length) return null;
  const titles = unique.map((c) => c.title);
  return h("ul.sources", { "aria-label": strings.sources }, unique.map((citation) => {
    const title = titles.filter((other) => other === citation.title).length > 1
      ? withSection(citation) : citation.title;
    const inside = [h("span.number", { "aria-hidden": "true" }, citation.number),
      h("span.chip-title", title)];
    const href = safeUrl(citation.url, api);
    return h("li", href
      ? h("a.chip", { href, target: "_blank", rel: "noopener", title: citation.quote, part: "source",
        "aria-label": strings.source(citation.number, title) }, inside)
      : h("span.chip", { title: citation.quote, part: "source" }, inside));
  }));
}

/** Two passages of one article are told apart by their headings, which the anchors are made of. */
function withSection({ title, anchor }) {
  return anchor ? `${title}: ${anchor.replaceAll("-", " ")}` : title;
}

/** A bubble that sentences are added to until the whole message replaces them. */
export class MessageView {
  constructor(author, context, createdAt) {
    this.author = author;
    this.context = context;
    this.parts = [];
    this.meta = header(author, createdAt, context);
    this.bubble = h("div.bubble", { part: `bubble bubble-${author.kind}`, dir: "auto" });
    this.extra = h("div.extra");
    this.node = h(`li.message.${author.kind}`, avatar(author, context),
      h("div.column", this.meta, this.bubble, this.extra));
  }

  sentence({ index, text, separator, citations }) {
    if (this.parts[index] !== undefined || this.complete) return;
    this.parts[index] = { text, separator: separator ?? " ", citations };
    if (this.bubble.childNodes.length) this.bubble.append(separator ?? " ");
    this.bubble.append(h("span.sentence", text));
    fill(this.extra, sources(this.parts.flatMap((part) => part?.citations ?? []), this.context));
  }

  /** The whole message. Sentences that stand already are not written again: a screen reader
   * would read them twice. */
  finish(message, { askFeedback }) {
    this.complete = true;
    this.author = message.author;
    this.node.className = `message ${message.author.kind}`;
    this.node.classList.toggle("failed", false);
    if (this.bubble.textContent !== message.text) fill(this.bubble, message.text);
    this.bubble.setAttribute("part", `bubble bubble-${message.author.kind}`);
    const meta = header(message.author, message.created_at, this.context);
    this.meta.replaceWith(meta);
    this.meta = meta;
    const face = avatar(message.author, this.context);
    if (face) this.node.querySelector(".avatar")?.replaceWith(face);
    fill(this.extra, sources(message.citations, this.context),
      askFeedback && message.author.kind === "bot" && feedback(message.id, this.context));
  }

  /** The delivery state of the visitor's own message. */
  status(text, retry) {
    fill(this.extra, text && h("span.status", text),
      retry && h("button.link", { type: "button", onclick: retry }, this.context.strings.retry));
    this.node.classList.toggle("failed", Boolean(retry));
  }
}
