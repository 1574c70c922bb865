/** What explains a held draft: reasons, sentences with scores, passages, the conversation. */
import { h, icon, safeUrl } from "../lib/dom.js";
import { moment } from "../lib/time.js";
import { ROOT } from "./api.js";

export const REASONS = {
  unsupported_claim: "Claim without support", beside_the_point: "Does not answer", nothing_retrieved: "Nothing found", toxic: "Tone",
  forbidden_promise: "Forbidden promise", pii_leak: "Personal data", prompt_leak: "Prompt leak",
  link_not_allowed: "Link not allowed", too_long: "Too long", injection: "Injection",
  always_review: "Always reviewed", sampled: "Sampled", low_confidence: "Low confidence",
  check_failed: "A check failed", crisis: "Crisis", threat: "Threat", engine_failed: "Engine failed",
};

/** "always_review" -> "Always reviewed"; an unknown code is made readable. */
export function words(code) {
  const text = REASONS[code] ?? String(code ?? "").replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const figure = (value) => (typeof value === "number" ? value.toFixed(2) : "–");

/** A score against its threshold: figures for everybody, a bar for the eye. */
function meter(score, threshold) {
  if (typeof score !== "number") return null;
  const bar = h("span.meter", { "aria-hidden": "true" }, h("span.level"),
    typeof threshold === "number" && h("span.mark"));
  bar.style.setProperty("--score", String(Math.min(1, Math.max(0, score))));
  bar.style.setProperty("--threshold", String(threshold ?? 0));
  const text = typeof threshold === "number"
    ? `score ${figure(score)}, threshold ${figure(threshold)}` : `score ${figure(score)}`;
  return h("span.score", bar, h("span", text));
}

export function reasonList(reasons) {
  if (!reasons?.length) return h("p.muted", "No reason was recorded.");
  return h("ul.reasons", reasons.map((reason) => h("li",
    h("strong.tag.hold", words(reason.code)), h("span.detail", { dir: "auto" }, reason.detail),
    reason.words && h("q", { dir: "auto" }, reason.words),
    reason.rule && h("code", reason.rule), meter(reason.score, reason.threshold))));
}

const VERDICTS = { release: ["ok", "passed"], hold: ["hold", "held"], replace: ["warn", "replaced"],
  abstain: ["warn", "abstains"], crisis: ["hold", "crisis"] };

export function verdictTag(verdict) {
  const [style, text] = VERDICTS[verdict] ?? ["warn", String(verdict)];
  return h(`span.tag.${style}`, text);
}

export function sentenceList(sentences, showPassage) {
  if (!sentences?.length) return h("p.muted", "There is no draft. Write the answer yourself.");
  return h("ol.sentences", sentences.map((sentence) => h("li", { class: sentence.released && "released" },
    h("p.text", { dir: "auto" }, sentence.released && icon("lock", "icon small"), sentence.text),
    h("div.facts", verdictTag(sentence.verdict), h("span.muted", words(sentence.kind)),
      sentence.released && h("span.muted", "already seen by the customer"),
      Object.entries(sentence.scores ?? {}).map(([name, value]) =>
        h("span.figure", `${words(name)} ${figure(value)}`)),
      support(sentence, showPassage)),
    sentence.reasons?.length ? reasonList(sentence.reasons) : null)));
}

function support(sentence, showPassage) {
  const numbers = sentence.supported_by ?? [];
  if (!numbers.length) {
    return sentence.kind === "claim" ? h("span.figure.unsupported", "no supporting passage") : null;
  }
  return numbers.map((number) => h("button.ref", { type: "button", onclick: () => showPassage(number) },
    `supported by ${number}`));
}

export function passageList(passages) {
  if (!passages?.length) return h("p.muted", "No passage was found for this question.");
  return h("ol.passages", passages.map((passage) => {
    const href = safeUrl(passage.url, ROOT);
    const title = [h("span.number", passage.number), h("span", passage.title)];
    return h("li", { id: `passage-${passage.number}`, tabindex: "-1" },
      href ? h("a.title", { href, target: "_blank", rel: "noopener" }, title) : h("span.title", title),
      passage.heading && h("p.muted", passage.heading),
      h("p.text", { dir: "auto" }, passage.text),
      h("p.muted", `Relevance ${figure(passage.score)} · ${passage.article}@${passage.version}`));
  }));
}

export function showPassage(number) {
  const node = document.getElementById(`passage-${number}`);
  if (!node) return;
  node.scrollIntoView({ block: "nearest" });
  node.focus();
}

const AUTHORS = { customer: "Customer", bot: "Bot", person: "Team", notice: "Notice" };

export function messageList(messages) {
  return h("ol.messages", messages.map((m) =>
    h(`li.m-${m.author.kind}`,
      h("p.who", h("strong", AUTHORS[m.author.kind] ?? m.author.kind),
        m.author.name && ["bot", "person"].includes(m.author.kind) && h("span", m.author.name),
        h("time", { datetime: m.created_at }, moment(m.created_at))),
      h("p.text", { dir: "auto" }, m.text),
      m.citations?.length ? h("p.muted", `Sources: ${[...new Set(m.citations.map((c) => c.title))].join(" · ")}`) : null)));
}

export function routeFacts(route) {
  if (!route) return null;
  const percent = (p) => `${Math.round(p * 100)} %`;
  return h("dl.route",
    h("div", h("dt", "Intent"), h("dd", words(route.intent),
      typeof route.confidence === "number" && ` · ${percent(route.confidence)}`)),
    h("div", h("dt", "Route"), h("dd", words(route.action))),
    route.why && h("div", h("dt", "Why"), h("dd", route.why)),
    route.alternatives?.length ? h("div", h("dt", "Or"), h("dd", route.alternatives
      .map(([name, p]) => `${words(name)} ${percent(p)}`).join(", "))) : null);
}
