/** Native dialogs: focus trap and Escape come with the platform. */
import { h } from "../lib/dom.js";

export function open(dialog) {
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  return dialog;
}

/** Asks for fields [{name, label, rows?, required?, hint?, value?}]; null when cancelled. */
export function ask({ title, intro, fields, confirm, danger = false }) {
  return new Promise((resolve) => {
    const inputs = fields.map((field) => ({ ...field,
      node: h("textarea", { name: field.name, rows: field.rows ?? 3, required: field.required,
        maxlength: field.max ?? 4000, value: field.value ?? "", dir: "auto" }) }));
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" });
    const form = h("form", { method: "dialog", onsubmit: () => {
      dialog.answer = Object.fromEntries(inputs.map(({ name, node }) => [name, node.value.trim()]));
    } },
    h("h2", { id: "dialog-title" }, title), intro && h("p", intro),
    inputs.map(({ label, hint, node }) =>
      h("label.field", h("span", label), node, hint && h("small", hint))),
    h("div.buttons",
      h(danger ? "button.danger" : "button.primary", { type: "submit" }, confirm),
      h("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    dialog.append(form);
    dialog.addEventListener("close", () => resolve(dialog.answer ?? null));
    open(dialog);
    inputs[0]?.node.focus();
  });
}

const KEYS = [
  ["j / k", "next, previous"], ["Enter", "take the item, or open the conversation"],
  ["a", "approve as it stands"], ["e", "edit the answer"], ["Ctrl Enter", "send the edit"],
  ["r", "reject with a reason and a reply"], ["d", "ask for another draft"],
  ["u", "give the item back"], ["n", "take the next item"], ["b", "decide identical drafts at once"],
  ["s", "assign it to a colleague"], ["h", "the audit trail (leads)"], ["t", "take the conversation over"], ["/", "search"],
  ["1 / 2 / 3", "the areas, from the left"], ["Esc", "leave the text box"], ["?", "this help"],
];

export function help() {
  if (document.querySelector("dialog.help")) return;
  const dialog = h("dialog.help", { "aria-labelledby": "help-title" },
    h("h2", { id: "help-title" }, "Keyboard"),
    h("dl.keys", KEYS.map(([key, what]) => h("div", h("dt", h("kbd", key)), h("dd", what)))),
    h("div.buttons", h("button.primary", { type: "button", onclick: () => dialog.close() }, "Close")));
  open(dialog);
}

export const dialogOpen = () => document.querySelector("dialog[open]") !== null;
