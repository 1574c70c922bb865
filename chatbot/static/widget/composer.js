/** The box to write in: grows with its text, counts near the limit, sends on Enter. */
import { h, icon } from "../lib/dom.js";

const LIMIT = 4000;
/** The counter appears for the last tenth: before that it would only distract. */
const COUNT_FROM = 3600;
const TALLEST_PX = 132;

export function composer(strings, onSend) {
  const box = h("textarea", { rows: "1", "aria-label": strings.placeholder, part: "input",
    placeholder: strings.placeholder, dir: "auto", enterkeyhint: "send",
    "aria-describedby": "count" });
  const send = h("button.send", { type: "submit", "aria-label": strings.send, title: strings.send,
    part: "send" }, icon("send"));
  const count = h("p.count", { id: "count", role: "status" });

  function update() {
    const { length } = box.value;
    const over = length > LIMIT;
    count.textContent = over ? strings.over(length - LIMIT)
      : length >= COUNT_FROM ? strings.left(LIMIT - length) : "";
    count.classList.toggle("over", over);
    box.setAttribute("aria-invalid", String(over));
    // aria-disabled keeps the button in the tab order, so that focus is never lost.
    send.setAttribute("aria-disabled", String(over || !box.value.trim()));
    box.style.setProperty("block-size", "auto");
    box.style.setProperty("block-size", `${Math.min(box.scrollHeight + 2, TALLEST_PX)}px`);
  }

  function submit(event) {
    event.preventDefault();
    const text = box.value.trim();
    if (!text || box.value.length > LIMIT) return;
    box.value = "";
    update();
    box.focus();
    onSend(text);
  }

  box.addEventListener("input", update);
  box.addEventListener("keydown", (event) => {
    // An input method's Enter picks a word; it must not send.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  });
  const node = h("form.composer", { onsubmit: submit, part: "composer" },
    h("div.field", box, send), count);
  update();
  return {
    node,
    focus: () => box.focus(),
    prefill(text) {
      box.value = text;
      update();
      box.setSelectionRange(text.length, text.length);
    },
    update,
  };
}
