/** Cards in the conversation that are not messages: held, handover, contact, errors, ending. */
import { fill, h, icon, safeUrl } from "../lib/dom.js";
import { clock } from "../lib/time.js";
import { describe } from "./strings.js";

/** "A person is checking": counts up until the answer comes or the hold is withdrawn. */
export class HeldCard {
  #timer;

  constructor({ text, expected_wait_s, on_duty, contact_form }, since, context) {
    const { strings } = context;
    this.since = since;
    this.expected = expected_wait_s ?? null;
    this.strings = strings;
    // A ticking clock inside a live region would be read out every second.
    this.elapsed = h("span.elapsed", { "aria-hidden": "true" });
    this.late = h("p.late");
    this.node = h("li.card.held", { part: "card card-held" },
      h("div.card-head", h("span.pulse", { "aria-hidden": "true" }), h("strong",
        on_duty === false ? strings.heldTitleLater : strings.heldTitle)),
      h("p", { dir: "auto" }, text),
      h("p.facts", this.elapsed,
        on_duty && this.expected ? h("span", strings.heldExpected(this.expected)) : null),
      this.late,
      h("p.hint", strings.heldLeave),
      contact_form && contactForm(context));
    this.#timer = setInterval(() => this.#tick(), 1000);
    this.#tick();
  }

  #tick() {
    const seconds = (Date.now() - this.since) / 1000;
    this.elapsed.textContent = this.strings.heldElapsed(clock(seconds));
    const late = this.expected && seconds > this.expected * 1.5;
    if (late && !this.late.textContent) this.late.textContent = this.strings.heldOverdue;
  }

  remove() {
    clearInterval(this.#timer);
    this.node.remove();
  }
}

export function handoverCard({ text, urgent, on_duty, contact_form }, context) {
  const { strings } = context;
  return h("li.card.handover", { part: "card card-handover", class: urgent && "urgent" },
    h("div.card-head", icon("person"),
      h("strong", urgent ? strings.urgentTitle : strings.handoverTitle)),
    h("p", { dir: "auto" }, text),
    on_duty === false && h("p.hint", strings.offDuty),
    contact_form && contactForm(context));
}

export function errorCard({ text, retryable }, retry, context) {
  return h("li.card.error", { part: "card card-error" },
    h("div.card-head", icon("alert"), h("p", { dir: "auto" }, text)),
    retryable && retry &&
      h("button.secondary", { type: "button", onclick: retry }, context.strings.retry));
}

export function endedCard(text, startNew, context) {
  return h("li.card.ended", { part: "card card-ended" }, h("p", { dir: "auto" }, text),
    h("button.secondary", { type: "button", onclick: startNew }, context.strings.startNew));
}

/** The native validation messages are replaced, so that one wording serves all browsers. */
function contactForm(context) {
  const { strings, session, company, api } = context;
  const problem = h("p.problem", { role: "alert", id: "contact-problem" });
  const email = h("input", { type: "email", name: "email", autocomplete: "email", maxlength: "254",
    required: true, "aria-describedby": "contact-problem" });
  const name = h("input", { type: "text", name: "name", autocomplete: "name", maxlength: "120" });
  const note = h("textarea", { name: "note", rows: "2", maxlength: "1000", dir: "auto" });
  const submit = h("button.primary", { type: "submit" }, strings.contactSend);
  const root = h("div.contact");

  const refuse = (message) => {
    problem.textContent = message;
    email.setAttribute("aria-invalid", "true");
    email.focus();
  };

  async function send(event) {
    event.preventDefault();
    problem.textContent = "";
    email.removeAttribute("aria-invalid");
    const address = email.value.trim();
    if (!address) return refuse(strings.contactNeedsEmail);
    if (!email.checkValidity() || !/@[^@\s]+\.[^@\s]+$/.test(address)) {
      return refuse(strings.contactBadEmail);
    }
    const details = { email: address };
    if (name.value.trim()) details.name = name.value.trim();
    if (note.value.trim()) details.note = note.value.trim();
    submit.disabled = true;
    try {
      await session.contact(details);
      const done = h("p.done", { tabindex: "-1", role: "status" }, icon("check"),
        h("span", strings.contactDone(address)));
      fill(root, done);
      done.focus();
    } catch (error) {
      problem.textContent = describe(error, strings);
    } finally {
      submit.disabled = false;
    }
  }

  const policy = company?.privacy_url && safeUrl(company.privacy_url, api);
  return fill(root, h("form", { novalidate: true, onsubmit: send, "aria-label": strings.contactTitle },
    h("p.form-title", strings.contactTitle), h("p.hint", strings.contactIntro),
    h("label", strings.contactEmail, email), h("label", strings.contactName, name),
    h("label", strings.contactNote, note), problem,
    h("div.row", submit, policy && h("a", { href: policy, target: "_blank", rel: "noopener" },
      strings.privacy))));
}
