/** Signing in, by key or with the company's OpenID provider. Both resolve with who it is. */
import { fill, h } from "../lib/dom.js";
import { inWords, ROOT } from "./api.js";

/** The provider's round trip loses the part of the address behind #. */
const RETURN = "deskgate:return";

export function signIn(api, root, { title, note = "", methods }) {
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
        resolve(await api.me());
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
      h("img", { src: new URL("../favicon.svg", import.meta.url).href, alt: "", width: "44", height: "44" }),
      h("h1", title), providerButton(methods),
      h("p.muted", "Use your agent, reviewer or admin key. It is kept in this tab only."),
      // A password form without a user name keeps password managers guessing.
      h("input.visually-hidden", { type: "text", name: "username", autocomplete: "username", value: "staff",
        tabindex: "-1", "aria-hidden": "true", readonly: true }),
      h("label.field", h("span", "Key"), input), problem, button)));
    input.focus();
  });
}

function providerButton(methods) {
  if (!methods?.oidc) return null;
  const url = new URL(String(methods.oidc.url).replace(/^\/+/, ""), ROOT);
  url.searchParams.set("next", location.pathname);
  return [h("a.button.primary.provider", { href: url.href,
    onclick: () => sessionStorage.setItem(RETURN, location.hash) },
  `Continue with ${methods.oidc.name}`), h("p.or", h("span", "or with a key"))];
}

/** Who is signed in: by the key of this tab, by a session, or by asking. */
export async function identify(api, root, { title, note = "", ask = false }) {
  let problem = note;
  const methods = await api.get("auth/methods").catch(() => null);
  if (!ask && (api.key || methods?.oidc)) {
    const by = api.key ? "key" : "session";
    try {
      const me = await api.me();
      restoreAddress();
      return me;
    } catch (error) {
      if (by === "key" && error.status === 401) {
        api.key = "";
        problem = "Your key is not valid any more.";
      } else if (error.status !== 401) problem = inWords(error);
    }
  }
  return signIn(api, root, { title, note: problem, methods });
}

function restoreAddress() {
  const address = sessionStorage.getItem(RETURN);
  sessionStorage.removeItem(RETURN);
  if (address && !location.hash) history.replaceState(null, "", address);
}
