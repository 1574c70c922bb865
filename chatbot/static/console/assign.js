/** Keeping an item or a conversation for a colleague. */
import { fill, h } from "../lib/dom.js";
import { inWords, part } from "./api.js";
import { open } from "./dialogs.js";

/**
 * Asks for whom to keep it and tells the server. `path` is "review/items/ID" or
 * "conversations/ID". Resolves with what the server made of it, or null when nothing was done.
 */
export async function assign(api, me, { path, assignee, roles }) {
  const dialog = h("dialog", { "aria-labelledby": "assign-title" });
  const problem = h("p.problem", { role: "alert" });
  const list = h("div.colleagues", { role: "radiogroup", "aria-labelledby": "assign-title" },
    h("p.muted", "Loading …"));
  let outcome = null;
  const form = h("form", { onsubmit: async (event) => {
    event.preventDefault();
    const chosen = form.querySelector("input:checked");
    if (!chosen) return;
    try {
      outcome = await api.post(`${path}/assign`, { to: chosen.value || null });
      dialog.close();
    } catch (error) {
      problem.textContent = inWords(error);
    }
  } },
  h("h2", { id: "assign-title" }, "Keep it for"),
  h("p.muted", "Others leave it to this person until it is late, or the person goes off duty."),
  list, problem,
  h("div.buttons", h("button.primary", { type: "submit" }, "Assign"),
    h("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
  dialog.append(form);
  const closed = new Promise((resolve) => dialog.addEventListener("close", resolve));
  open(dialog);
  try {
    const { staff } = await api.get("staff");
    const able = staff.filter(({ role }) => roles.includes(role));
    fill(list, [{ id: "", name: "Nobody: it is free for all" }, ...able].map((who) => h("label.colleague",
      h("input", { type: "radio", name: "to", value: who.id, checked: who.id === (assignee?.id ?? "") }),
      h("span", { dir: "auto" }, who.id === me.id ? `${who.name} (you)` : who.name),
      who.id && h(who.on_duty ? "span.tag.ok" : "span.tag", who.on_duty ? "On duty" : "Away"),
      who.id && h("span.muted", who.role))));
    (list.querySelector("input:checked") ?? list.querySelector("input"))?.focus();
  } catch (error) {
    fill(list);
    problem.textContent = inWords(error);
  }
  await closed;
  return outcome;
}

export const itemPath = (id) => `review/items/${part(id)}`;
export const conversationPath = (id) => `conversations/${part(id)}`;
