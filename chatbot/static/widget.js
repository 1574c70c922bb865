/**
 * deskgate's chat widget.
 *
 *   <script type="module" src="https://chat.example.com/widget.js"></script>
 *   <deskgate-chat key="WIDGET_KEY"></deskgate-chat>
 *
 * Attributes: key; api (default: where this script came from); theme ("light", "dark", default
 * the visitor's setting); customer and signature (an HMAC-signed customer); locale; open; training-consent ("true" or "false", where the site has asked).
 * Any element of the page with data-deskgate-ask="A question" opens the chat with that question
 * filled in; data-deskgate-open opens it.
 */
import { DeskgateChat } from "./static/widget/element.js";

DeskgateChat.defaultApi = new URL(".", import.meta.url).href;

if (!customElements.get("deskgate-chat")) customElements.define("deskgate-chat", DeskgateChat);

document.addEventListener("click", (event) => {
  const trigger = event.target instanceof Element
    ? event.target.closest("[data-deskgate-ask], [data-deskgate-open]")
    : null;
  const chat = trigger && document.querySelector("deskgate-chat");
  if (!chat) return;
  event.preventDefault();
  chat.show(trigger.getAttribute("data-deskgate-ask") ?? "");
});
