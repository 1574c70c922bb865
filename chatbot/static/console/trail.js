/** The audit trail of one conversation, in plain words: who did what when, and whether it is whole. */
import { fill, h, icon } from "../lib/dom.js";
import { moment } from "../lib/time.js";
import { inWords, part } from "./api.js";
import { open } from "./dialogs.js";
import { words } from "./evidence.js";

const ACTS = {
  "conversation.start": "began the conversation", "conversation.waiting": "passed the customer on to the team",
  "conversation.takeover": "took the conversation over", "conversation.handback": "handed it back to the bot",
  "conversation.reply": "wrote to the customer", "conversation.assign": "kept the conversation for",
  "conversation.closed": "ended the conversation", "conversation.erased": "erased the conversation",
  "retention.erased": "erased text whose time was over", "message.accepted": "wrote a message",
  "message.complete": "finished an answer that had streamed", "turn.superseded": "gave up an answer that was being written",
  "item.open": "held an answer", "item.claim": "took the held answer", "item.unclaim": "gave the held answer back",
  "item.assign": "kept the held answer for", "item.approved": "approved the draft", "item.edited": "sent an edited answer",
  "item.rejected": "rejected the draft and replied", "item.redraft": "asked for another draft",
  "item.withdrawn": "withdrew the held answer", "item.late": "acted on a late answer",
  "contact.saved": "left contact details", consent: "answered whether the bot may learn from it",
  feedback: "rated an answer", "delivered.sentence": "delivered a sentence", "delivered.message": "delivered a message",
  "delivered.held": "told the customer that a person is checking", "delivered.handover": "told the customer that a person will come",
  "delivered.joined": "told the customer who joined", "delivered.left": "told the customer that the person left",
  "delivered.withdrawn": "took the waiting notice back", "delivered.closed": "told the customer that the chat ended",
};
const ROLES = { system: "The desk", customer: "The customer", operator: "The operator" };

function who(actor, names) {
  const [role, id] = actor.split(":");
  return id ? `${names[id] ?? id} (${role})` : ROLES[actor] ?? actor;
}

/** What else the row says that a person can use; hashes and positions are left to the export. */
function details({ data }, names) {
  return [data.to && (names[data.to] ?? data.to), data.reasons?.map(words).join(", "), data.why,
    data.do && words(data.do), data.thumbs && `thumbs ${data.thumbs}`,
    "training" in data && (data.training ? "yes" : "no"), data.override && "against the gate, with a reason",
    data.stale && "although the customer had written again", data.by === "static" && "fixed text",
    "messages" in data && `${data.messages} messages`].filter(Boolean).join(" · ");
}

function verdict({ count, broken }) {
  return broken
    ? h("p.chain.broken", { role: "alert" }, icon("alert", "icon small"),
      h("span", `Broken at entry ${broken.sequence}: ${broken.reason}.`))
    : h("p.chain.whole", icon("check", "icon small"),
      h("span", `Whole: ${count} entries, each sealed to the one before it.`));
}

export async function showTrail(api, conversationId) {
  const body = h("div", h("p.muted", "Checking …"));
  const dialog = h("dialog.trail", { "aria-labelledby": "trail-title" },
    h("h2", { id: "trail-title" }, "Audit trail"), h("p", h("code", conversationId)), body,
    h("div.buttons", h("button.primary", { type: "button", onclick: () => dialog.close() }, "Close")));
  open(dialog);
  try {
    const found = await api.get(`audit/chains/${part(conversationId)}`);
    fill(body, verdict(found), h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Entries" },
      h("table", h("thead", h("tr", ["No.", "When", "Who", "What"].map((cell) => h("th", { scope: "col" }, cell)))),
        h("tbody", found.rows.map((row) => h("tr", { class: row.sequence === found.broken?.sequence && "broken" },
          h("th", { scope: "row" }, row.sequence),
          h("td", h("time", { datetime: row.at, title: row.at }, moment(row.at))),
          h("td", { dir: "auto" }, who(row.actor, found.names)),
          h("td", ACTS[row.action] ?? row.action, h("span.muted", ` ${details(row, found.names)}`))))))));
  } catch (error) {
    fill(body, h("p.problem", { role: "alert" }, inWords(error)));
  }
}
