/** Sign-in by key. Resolves with {id, name, role}. */
import { fill, h } from "../lib/dom.js";
import { inWords } from "./api.js";

export function signIn(api, root, { title, note = "" }) {
  return new Promise((resolve) => {
    const input = h("input", { type: "password", name: "key", autocomplete: "current-password", required: true,
      spellcheck: "false", "aria-describedby": "signin-problem" });
    const problem = h("p.problem", { id: "signin-problem", role: "alert" }, note);
    const button = h("button.primary", { type: "submit" }, "Sign in");
    const submit = async (event) => {
      event.preventDefault();
      problem.textContent = "";
      button.disabled = true;
      api.key = input.value.trim();
      try {
        resolve(await api.get("staff/me"));
      } catch (error) {
        api.key = "";
        problem.textContent = [401, 403].includes(error.status)
          ? "This key is not valid for staff. Check that you copied all of it." : inWords(error);
        input.select();
      } finally {
        button.disabled = false;
      }
    };
    fill(root, h("main.signin", h("form", { onsubmit: submit },
      h("img", { src: new URL("../favicon.svg", import.meta.url).href, alt: "", width: "48", height: "48" }),
      h("h1", title), h("p.muted", "Use your agent, reviewer or admin key. It is kept in this tab only."),
      h("label.field", h("span", "Key"), input), problem, button)));
    input.focus();
  });
}

/** The signed-in person, by the key of this tab or by asking for one. */
export async function identify(api, root, options) {
  if (api.key) {
    try {
      return await api.get("staff/me");
    } catch (error) {
      if (error.status !== 401) return signIn(api, root, { ...options, note: inWords(error) });
      api.key = "";
      return signIn(api, root, { ...options, note: "Your key is not valid any more." });
    }
  }
  return signIn(api, root, options);
}
