/** What a customer asks of the team: erase it, or do not learn from it. And the audit of all chains. */
import { fill, h, icon } from "../lib/dom.js";
import { inWords } from "./api.js";
import { ask } from "./dialogs.js";
import { showTrail } from "./trail.js";

/** One field takes both: conversations have ids of a known form. */
const named = (text) => (text.startsWith("conv_") ? { conversation_id: text } : { customer: text });
const conversations = (n) => `${n} ${n === 1 ? "conversation" : "conversations"}`;

export function privacyCard(api, announce) {
  const who = h("input", { type: "text", required: true, maxlength: "320", autocomplete: "off",
    placeholder: "name@example.com or conv_…" });
  const result = h("p.muted", { role: "status" });
  const problem = h("p.problem", { role: "alert" });
  const act = async (work) => {
    problem.textContent = result.textContent = "";
    if (!who.value.trim()) return who.focus();
    try {
      const said = await work(named(who.value.trim()));
      if (said) announce(result.textContent = said);
    } catch (error) {
      problem.textContent = error.status === 404 ? "No conversation bears this id or address." : inWords(error);
    }
    return undefined;
  };
  const consent = (training, said) => act(async (body) => {
    const found = (await api.post("consents", { ...body, training })).conversations;
    return `Noted: ${conversations(found.length)} ${said}.`;
  });
  const erase = () => act(async (body) => {
    const sure = await ask({ title: "Erase for good", danger: true, confirm: "Erase", fields: [],
      intro: `All text of ${who.value.trim()} is erased: messages, drafts, contact details. Nobody can bring it back. `
        + "The audit trail keeps times and hashes." });
    if (!sure) return "";
    return `Erased: ${conversations((await api.post("erasures", body)).erased.length)}.`;
  });
  const button = (label, style, onclick) => h(`button${style}`, { type: "button", onclick }, label);
  return h("section.card", h("h2", "A customer's wishes"),
    h("label.field", h("span", "Customer's e-mail or id, or a conversation's id"), who),
    h("div.buttons", button("Do not learn from it", "", () => consent(false, "will not be learnt from")),
      button("Learning is allowed", "", () => consent(true, "may be learnt from")),
      button("Erase …", ".danger", erase)), result, problem);
}

export function auditCard(api) {
  const id = h("input", { type: "text", maxlength: "40", autocomplete: "off", placeholder: "conv_…" });
  const outcome = h("div", { role: "status" });
  const check = async (event) => {
    const { currentTarget: button } = event;
    button.disabled = true;
    fill(outcome, h("p.muted", "Checking …"));
    try {
      const { rows, breaks } = await api.get("audit/verify");
      const count = rows.toLocaleString();
      fill(outcome, breaks.length ? h("p.chain.broken", icon("alert", "icon small"),
        h("span", `${breaks.length} of the chains are broken; ${count} entries were read.`))
        : h("p.chain.whole", icon("check", "icon small"), h("span", `Every chain is whole: ${count} entries.`)),
      h("ul.letters", breaks.map((b) => h("li", h("div", h("code", b.chain), h("p.muted", `entry ${b.sequence}: ${b.reason}`)),
        h("button", { type: "button", onclick: () => showTrail(api, b.chain) }, "Show")))));
    } catch (error) {
      fill(outcome, h("p.problem", inWords(error)));
    } finally {
      button.disabled = false;
    }
  };
  return h("section.card", h("h2", "Audit"),
    h("p.muted", "Every act has an entry that is sealed to the one before it, under a key outside the database."),
    h("div.buttons", h("button", { type: "button", onclick: check }, "Check every chain")), outcome,
    h("form.inline", { onsubmit: (event) => {
      event.preventDefault();
      if (id.value.trim()) showTrail(api, id.value.trim());
    } }, h("label.field", h("span", "Trail of one conversation"), id), h("button", { type: "submit" }, "Show")));
}
