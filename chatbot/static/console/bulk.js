/** Identical drafts, decided in one act: which ones, and what the server made of each. */
import { fill, h } from "../lib/dom.js";
import { inWords } from "./api.js";
import { open } from "./dialogs.js";

/** The most that the server takes at once. */
const MOST = 200;

/**
 * Lists the open items with the draft of `item` and decides those that are chosen.
 * Resolves with {done: [id], words}, or null when nothing was decided.
 */
export async function decideAlike(api, item) {
  const dialog = h("dialog.bulk", { "aria-labelledby": "bulk-title" });
  const problem = h("p.problem", { role: "alert" });
  const list = h("ul.alike", h("li.muted", "Loading …"));
  const reason = h("textarea", { rows: "2", maxlength: "500", dir: "auto" });
  const reply = h("textarea", { rows: "3", maxlength: "4000", dir: "auto" });
  const decide = (action, label, style) => h(`button${style}`, { type: "button",
    onclick: () => send(action) }, label);
  const buttons = h("div.buttons", decide("approve", "Approve the chosen", ".primary"),
    decide("reject", "Reject the chosen", ".danger"),
    h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"));
  let items = [];
  let outcome = null;

  async function send(action) {
    const chosen = items.filter(({ id }) => list.querySelector(`[value="${id}"]`).checked);
    const body = { action, items: chosen.map(({ id, version }) => ({ id, version })) };
    problem.textContent = "";
    if (!chosen.length) problem.textContent = "Choose at least one item.";
    else if (action === "reject") {
      Object.assign(body, { reason: reason.value.trim(), reply: reply.value.trim() });
      if (!body.reason || !body.reply) problem.textContent = "A rejection needs a reason and a reply.";
    }
    if (problem.textContent) return;
    buttons.toggleAttribute("inert", true);
    try {
      outcome = told((await api.post("review/items/bulk", body)).results);
      dialog.close();
    } catch (error) {
      problem.textContent = inWords(error);
    } finally {
      buttons.toggleAttribute("inert", false);
    }
  }

  dialog.append(h("h2", { id: "bulk-title" }, "Identical drafts"),
    h("p.muted", "Each customer gets the same answer. An item that changed meanwhile is left as it is."),
    h("blockquote.text", { dir: "auto" }, item.draft), list,
    h("details", h("summary", "To reject them instead"),
      h("label.field", h("span", "Reason, for the team and for training"), reason),
      h("label.field", h("span", "Reply to the customers"), reply)),
    problem, buttons);
  const closed = new Promise((resolve) => dialog.addEventListener("close", resolve));
  open(dialog);
  try {
    items = (await api.get("review/items", { same_as: item.id, limit: MOST })).items;
    fill(list, items.map((one) => h("li", h("label",
      h("input", { type: "checkbox", value: one.id, checked: !one.stale, disabled: one.stale }),
      h("span", { dir: "auto" }, one.question), one.stale && h("span.tag.warn", "New message")))));
    list.querySelector("input:enabled")?.focus();
  } catch (error) {
    fill(list);
    problem.textContent = inWords(error);
  }
  await closed;
  return outcome;
}

function told(results) {
  const done = results.filter(({ state }) => state === "resolved").map(({ id }) => id);
  const left = results.length - done.length;
  const why = results.find(({ detail }) => detail)?.detail;
  return { done, words: `${done.length} decided.${left ? ` ${left} left as they were: ${why}.` : ""}` };
}
