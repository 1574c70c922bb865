/**
 * The panel for agents who work in another tool: a transcript in, suggestions out.
 *
 * An embedding page may post {type: "deskgate:transcript", text} or {…, transcript: [{role, text}]}
 * to the frame; a chosen suggestion is posted back to that page as {type: "deskgate:insert", text}.
 */
import { fill, h } from "../lib/dom.js";
import { inWords, StaffApi } from "./api.js";
import { identify } from "./signin.js";
import { suggestionNodes } from "./suggestions.js";

const root = document.getElementById("app");
const api = new StaffApi();
const SPEAKERS = { customer: /^(customer|client|user|visitor)$/i, bot: /^(bot|assistant|ai)$/i,
  person: /^(agent|person|team|me|support)$/i };
const LONGEST = 20_000;

/** Lines such as "Customer: …"; a line without a speaker goes on with the one before. */
export function parseTranscript(text) {
  const turns = [];
  for (const line of text.split(/\r?\n/)) {
    const [, name, said] = /^\s*([A-Za-z]+)\s*:\s*(.*)$/.exec(line) ?? [];
    const role = name && Object.keys(SPEAKERS).find((key) => SPEAKERS[key].test(name));
    if (role) turns.push({ role, text: said });
    else if (turns.length) turns.at(-1).text += `\n${line}`;
    else if (line.trim()) turns.push({ role: "customer", text: line });
  }
  return turns.map((turn) => ({ ...turn, text: turn.text.trim() })).filter((turn) => turn.text);
}

function panel() {
  let host = null;
  const box = h("textarea", { rows: "9", dir: "auto", maxlength: String(LONGEST), "aria-describedby": "assist-hint",
    placeholder: "Customer: I wore the jacket once. Can I return it?\nAgent: Let me look." });
  const problem = h("p.problem", { role: "alert" });
  const button = h("button.primary", { type: "submit" }, "Suggest");
  const result = h("section.result", { "aria-live": "polite", "aria-label": "Suggestions" });

  async function insert(text, pressed) {
    if (host) {
      host.source.postMessage({ type: "deskgate:insert", text }, host.origin);
      pressed.textContent = "Inserted";
      return;
    }
    try {
      await navigator.clipboard.writeText(text);
      pressed.textContent = "Copied";
    } catch {
      pressed.textContent = "The browser does not allow copying";
    }
  }

  async function suggest(transcript) {
    problem.textContent = "";
    if (!transcript.length) {
      problem.textContent = "Paste what was said first.";
      box.focus();
      return;
    }
    button.disabled = true;
    fill(result, h("p.muted", "Thinking …"));
    try {
      const found = await api.post("assist/suggestions", { transcript });
      fill(result, h("h2", "Suggestions"), suggestionNodes(found, { insert, label: host ? "Insert" : "Copy" }));
    } catch (error) {
      fill(result);
      problem.textContent = inWords(error);
    } finally {
      button.disabled = false;
    }
  }

  const form = h("form", { onsubmit: (event) => {
    event.preventDefault();
    suggest(parseTranscript(box.value));
  } },
  h("label.field", h("span", "Transcript"), box),
  h("p.muted", { id: "assist-hint" }, "One line per turn, with “Customer:”, “Bot:” or “Agent:” in front. Ctrl Enter suggests."),
  problem, h("div.buttons", button,
    h("button.quiet", { type: "button", onclick: () => {
      api.key = "";
      run();
    } }, "Sign out")));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  window.onmessage = (event) => {
    // Only the page that embeds this panel may speak to it.
    if (window.parent === window || event.source !== window.parent) return;
    if (event.data?.type !== "deskgate:transcript") return;
    host = { source: event.source, origin: event.origin };
    const { transcript, text } = event.data;
    if (typeof text === "string") box.value = text.slice(-LONGEST);
    else if (Array.isArray(transcript)) {
      const name = { customer: "Customer", bot: "Bot", person: "Agent" };
      box.value = transcript.map((t) => `${name[t?.role] ?? "Customer"}: ${String(t?.text ?? "")}`).join("\n").slice(-LONGEST);
    } else return;
    suggest(parseTranscript(box.value));
  };
  fill(root, h("main", h("h1", "Assist"), form, result));
  box.focus();
}

async function run() {
  await identify(api, root, { title: "Assist" });
  api.onDenied = () => {
    api.onDenied = () => {};
    api.key = "";
    run();
  };
  panel();
}

run();
