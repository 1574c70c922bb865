/** The rules in force, read out plainly: what is always reviewed, targets, what is late. */
import { fill, h } from "../lib/dom.js";
import { span } from "../lib/time.js";
import { words } from "./evidence.js";

const CONSENT = { unless_refused: "from every conversation whose customer has not said no",
  only_if_given: "only where the customer has said yes", never: "from no conversation" };
const STEPS = { escalate: "make it urgent for every team", holding_reply: "send the holding reply",
  contact_form: "say so and offer the contact form", hand_over: "withdraw the draft and hand over" };

const percent = (share) => `${Number((share * 100).toFixed(1))} %`;
const list = (names) => (names.length ? names.map(words).join(", ") : "none");

export function showRules(card, { rules, problem, in_force: now }) {
  const teams = Object.entries(rules.teams);
  const fact = (term, ...said) => h("div", h("dt", term), h("dd", said));
  fill(card, h("h2", "Rules in force"),
    problem && h("p.problem", { role: "alert" }, `The newest edit of review.toml is not in force: ${problem}`),
    h("dl.rules",
      fact("Always read first", list(now.intents)),
      fact("Unsure answers", now.below_confidence
        ? `read first below ${percent(now.below_confidence)} confidence` : "no limit beside the router's own"),
      fact("Sample", now.share >= 1 ? "every answer is read first"
        : now.share ? `${percent(now.share)} of all answers, while somebody is on duty` : "none"),
      fact("Promise", `an answer within ${span(now.answer_within_s)}, urgent ones within ${span(now.urgent_within_s)}`),
      fact("Too late", h("ol", now.late.map((step) => h("li", `after ${span(step.after_s)}: ${STEPS[step.do]}`)))),
      fact("Teams", teams.length ? h("ul", teams.map(([name, team]) => h("li", { dir: "auto" },
        `${name}: ${list(team.intents)} (${team.members.join(", ") || "everybody"})`))) : "one team for everything"),
      fact("A claim lasts", span(now.lease_s)),
      fact("Learning", CONSENT[now.consent]),
      fact("Text is kept", now.retention_days ? `${now.retention_days} days` : "until it is erased by hand")),
    h("p.muted", "Set in review.toml, routes.toml and policy.toml; an edit is in force at once."));
}
