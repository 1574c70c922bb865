/** Thumbs under an answer, and a comment for those who want to say more. */
import { fill, h, icon } from "../lib/dom.js";
import { describe } from "./strings.js";

export function feedback(messageId, { strings, session }) {
  const more = h("div.feedback-more", { role: "status" });
  const button = (thumbs, label, symbol) =>
    h("button.thumb", { type: "button", "aria-label": label, title: label, "aria-pressed": "false",
      part: "thumb", onclick: () => vote(thumbs) }, icon(symbol));
  const buttons = {
    up: button("up", strings.helpful, "up"),
    down: button("down", strings.notHelpful, "thumbsdown"),
  };

  const press = (thumbs) => {
    for (const [name, node] of Object.entries(buttons)) {
      node.setAttribute("aria-pressed", String(name === thumbs));
    }
  };

  async function vote(thumbs) {
    press(thumbs);
    try {
      await session.feedback(messageId, { thumbs });
      fill(more, thumbs === "up" ? strings.thanksUp : commentForm(thumbs));
    } catch (error) {
      press(null);
      fill(more, describe(error, strings));
    }
  }

  function commentForm(thumbs) {
    const box = h("textarea", { rows: "2", maxlength: "1000", dir: "auto" });
    const send = async (event) => {
      event.preventDefault();
      const comment = box.value.trim();
      if (!comment) return fill(more, strings.thanksUp);
      try {
        await session.feedback(messageId, { thumbs, comment });
        fill(more, strings.commentThanks);
      } catch (error) {
        form.querySelector(".problem").textContent = describe(error, strings);
      }
    };
    const form = h("form.comment", { onsubmit: send },
      h("label", strings.commentLabel, box),
      h("p.problem", { role: "alert" }),
      h("div.row",
        h("button.secondary", { type: "submit" }, strings.commentSend),
        h("button.link", { type: "button", onclick: () => fill(more, strings.thanksUp) },
          strings.commentSkip)));
    return form;
  }

  return h("div.feedback", h("div.thumbs", buttons.up, buttons.down), more);
}
