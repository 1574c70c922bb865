/**
 * Whether the company may learn from this chat. Where its rules ask first, the question stands above
 * the conversation until it is answered; the choice can be seen and changed under "Privacy".
 */
import { fill, h, safeUrl } from "../lib/dom.js";
import { describe } from "./strings.js";

export class Consent {
  #rule = "never";
  #given = null;

  constructor(context) {
    this.context = context;
    const { strings } = context;
    this.question = h("div.consent", { hidden: true, role: "group", "aria-label": strings.consentTitle },
      h("p", strings.consentAsk), h("div.row",
        h("button.secondary", { type: "button", onclick: () => this.#save(true) }, strings.consentYes),
        h("button.secondary", { type: "button", onclick: () => this.#save(false) }, strings.consentNo)));
    this.button = h("button.link.quiet", { type: "button", hidden: true, "aria-expanded": "false",
      "aria-controls": "choices", onclick: () => this.#toggle() }, strings.privacy);
    this.panel = h("div.confirm.choices", { id: "choices", hidden: true, role: "group", "aria-label": strings.privacy });
  }

  /** {rule: "only_if_given" | "unless_refused" | "never", given: true, false or null}. */
  take({ rule, given } = { rule: "never", given: null }) {
    this.#rule = rule;
    this.#given = given;
    this.#show();
  }

  get #allowed() {
    return this.#rule === "only_if_given" ? this.#given === true : this.#given !== false;
  }

  #show(problem = "") {
    const { strings, company, api } = this.context;
    this.question.hidden = this.#rule !== "only_if_given" || this.#given !== null;
    const policy = company?.privacy_url && safeUrl(company.privacy_url, api);
    this.button.hidden = this.#rule === "never" && !policy;
    const box = h("input", { type: "checkbox", checked: this.#allowed,
      onchange: (event) => this.#save(event.currentTarget.checked) });
    fill(this.panel,
      this.#rule !== "never" && h("label.choice", box, h("span", strings.consentLabel)),
      this.#rule !== "never" && h("p.hint", { role: "status" }, this.#allowed ? strings.consentOn : strings.consentOff),
      h("p.problem", { role: "alert" }, problem),
      h("div.row", policy && h("a.link", { href: policy, target: "_blank", rel: "noopener" }, strings.privacyPolicy),
        h("button.link", { type: "button", onclick: () => this.#toggle(false) }, strings.done)));
  }

  #toggle(open = this.panel.hidden) {
    this.panel.hidden = !open;
    this.context.say("");
    this.button.setAttribute("aria-expanded", String(open));
    if (open) this.panel.querySelector("input, a, button")?.focus();
    else this.button.focus();
  }

  async #save(training) {
    const asked = !this.question.hidden;
    try {
      await this.context.session.consent(training);
      this.#given = training;
      this.#show();
      if (asked) this.context.say(training ? this.context.strings.consentOn : this.context.strings.consentOff);
    } catch (error) {
      const problem = describe(error, this.context.strings);
      this.#show(problem);
      if (asked) this.context.say(problem);
    }
    if (!this.panel.hidden) this.panel.querySelector("input")?.focus();
  }
}
