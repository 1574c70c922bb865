/** The lead's page: volumes, waiting, agreement, rules, gaps, audit, customers' wishes, dead webhooks. */
import { fill, h } from "../lib/dom.js";
import { moment, span } from "../lib/time.js";
import { inWords, part } from "./api.js";
import { barred, chartCard, ROUND_TIMES, table } from "./charts.js";
import { words } from "./evidence.js";
import { auditCard, privacyCard } from "./privacy.js";
import { showRules } from "./rules.js";

const RANGES = { 7: "Last 7 days", 30: "Last 30 days", 90: "Last 90 days" };
const DAY_MS = 86_400_000;

const percent = (share) => (share === null ? "–" : `${Math.round(share * 100)} %`);
const time = (seconds) => (seconds === null ? "–" : span(seconds));
const count = (n) => n.toLocaleString();

export class LeadView {
  #asked = 0;

  constructor({ api, announce, onCount }) {
    Object.assign(this, { api, announce, onCount });
    this.range = h("select", { "aria-label": "Days", onchange: () => this.shown() },
      Object.entries(RANGES).map(([days, label]) => h("option", { value: days, selected: days === "30" }, label)));
    this.problem = h("p.problem", { role: "alert" });
    this.figures = h("dl.tiles");
    this.cards = h("div.cards");
    this.gaps = h("section.card");
    this.dead = h("section.card");
    this.rules = h("section.card");
    this.standing = [this.rules, auditCard(api), privacyCard(api, announce)];
    this.node = h("div.lead", h("header.lead-head", h("h2", "Overview"), this.range,
      h("button", { type: "button", onclick: () => this.#download() }, "Download CSV")),
    this.problem, this.figures, this.cards);
  }

  /** `to` is included, so seven days begin six days ago. */
  get #from() {
    return new Date(Date.now() - (Number(this.range.value) - 1) * DAY_MS).toISOString().slice(0, 10);
  }

  /** The page came into view, or its range changed. Gaps cost the server work: only then. */
  async shown() {
    const asked = (this.#asked += 1);
    this.problem.textContent = "";
    const load = async (path, query, show) => {
      try {
        const found = await this.api.get(path, query);
        if (asked === this.#asked) show(found);
      } catch (error) {
        if (asked === this.#asked) this.problem.textContent = inWords(error);
      }
    };
    await Promise.all([
      load("reports/overview", { from: this.#from }, (found) => this.#overview(found)),
      load("webhooks/deliveries", { state: "dead" }, (found) => this.#deliveries(found)),
      load("knowledge/gaps", { days: this.range.value }, (found) => this.#gaps(found)),
      load("review/rules", {}, (found) => showRules(this.rules, found)),
    ]);
  }

  /** While it is not looked at, only the number of dead letters is kept up to date. */
  async refresh() {
    try {
      this.#deliveries(await this.api.get("webhooks/deliveries", { state: "dead" }));
    } catch (error) {
      this.problem.textContent = inWords(error);
    }
  }

  #overview({ totals, days, reasons, reviewers }) {
    const by = (name) => days.map((day) => day[name]);
    const dates = by("day");
    const tile = (label, value, note = "") => h("div.tile", h("dt", label), h("dd", value), note && h("dd.muted", note));
    fill(this.figures,
      tile("Conversations", count(totals.conversations), `${count(totals.messages)} messages`),
      tile("Held for a person", count(totals.held), `${count(totals.open)} still open`),
      tile("Median wait", time(totals.wait_p50_s), `95 % within ${time(totals.wait_p95_s)}`),
      tile("Within the promise", percent(totals.within_target)),
      tile("Approved unchanged", percent(totals.agreement), `words edited ${percent(totals.edit_distance_mean)}`),
      tile("Handovers", count(totals.handovers), `median wait ${time(totals.handover_wait_p50_s)}`),
      tile("Thumbs up", count(totals.thumbs_up), `${count(totals.thumbs_down)} down`));
    fill(this.cards,
      chartCard({ title: "Decisions a day", days: dates, stacked: true, format: count, series: [
        { name: "Approved", style: "c1", values: by("approved") },
        { name: "Edited", style: "c2", values: by("edited") },
        { name: "Rejected", style: "c3", values: by("rejected") }] }),
      chartCard({ title: "Waiting for a decision", days: dates, format: time, round: ROUND_TIMES, series: [
        { name: "Median", style: "c1", values: by("wait_p50_s") },
        { name: "95th percentile", style: "c3", values: by("wait_p95_s") }] }),
      chartCard({ title: "Agreement and edits", days: dates, format: percent, whole: 1, series: [
        { name: "Approved unchanged", style: "c1", values: by("agreement") },
        { name: "Words changed in edits", style: "c2", values: by("edit_distance_mean") }] }),
      chartCard({ title: "Waiting for a person", days: dates, format: time, round: ROUND_TIMES, series: [
        { name: "Median", style: "c1", values: by("handover_wait_p50_s") },
        { name: "95th percentile", style: "c3", values: by("handover_wait_p95_s") }] }),
      chartCard({ title: "Volume a day", days: dates, format: count, series: [
        { name: "Conversations", style: "c1", values: by("conversations") },
        { name: "Held", style: "c3", values: by("held") },
        { name: "Handovers", style: "c2", values: by("handovers") }] }),
      h("section.card", h("h2", "Why drafts are held"), reasons.length
        ? table(["Reason", "Held", "Approved", "Agreement"], reasons.map((r) =>
          [words(r.code), barred(r.held, reasons[0].held, count), count(r.approved), percent(r.agreement)]))
        : h("p.muted.none", "Nothing was held.")),
      h("section.card", h("h2", "Reviewers"), reviewers.length
        ? table(["Name", "Resolved", "Edited", "Median wait"], reviewers.map((r) =>
          [r.name, count(r.resolved), count(r.edited), time(r.wait_p50_s)]))
        : h("p.muted.none", "Nobody has decided anything yet.")),
      this.gaps, this.dead, this.standing);
  }

  #gaps({ gaps, questions }) {
    fill(this.gaps, h("h2", "Knowledge gaps"), gaps.length
      ? [h("p.muted", `${count(questions)} questions that no article answers, grouped.`),
        h("ol.gaps", gaps.map((gap) => h("li", h("span.number", count(gap.size)),
          h("div", h("p.text", { dir: "auto" }, h("strong", gap.title)),
            gap.examples.length > 1 && h("details", h("summary", "Examples"),
              h("ul", gap.examples.map((text) => h("li.text", { dir: "auto" }, text)))),
            gap.nearest.length > 0 && h("p.muted", `Nearest: ${gap.nearest.map((a) => a.title).join(" · ")}`)))))]
      : h("p.muted.none", "Every question in these days had an article."));
  }

  #deliveries({ deliveries, counts }) {
    const dead = counts.dead ?? deliveries.length;
    this.onCount(dead);
    const replay = (path, label) => h("button", { type: "button",
      onclick: (event) => this.#replay(path, event.currentTarget) }, label);
    fill(this.dead, h("div.side-head", h("h2", "Undelivered webhooks"),
      dead > 0 && replay("webhooks/replay", `Replay all ${count(dead)}`)),
    deliveries.length ? h("ul.letters", deliveries.map((d) => h("li",
      h("div", h("strong", d.kind), h("p.muted", `${d.attempts} attempts, last ${moment(d.finished_at ?? d.created_at)}`),
        h("p.unsupported", [d.last_status, d.last_error].filter(Boolean).join(" · "))),
      replay(`webhooks/deliveries/${part(d.id)}/replay`, "Replay"))))
      : h("p.muted.none", "Every webhook was delivered, or is still being tried."));
  }

  async #replay(path, button) {
    button.disabled = true;
    try {
      const { replayed } = await this.api.post(path);
      this.announce(`${replayed} sent again.`);
      await this.refresh();
    } catch (error) {
      this.problem.textContent = inWords(error);
      button.disabled = false;
    }
  }

  /** A link cannot carry a key, so the table is fetched and handed over as a file. */
  async #download() {
    try {
      const text = await this.api.text("reports/overview.csv", { from: this.#from });
      const href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
      h("a", { href, download: `overview-${this.#from}.csv` }).click();
      setTimeout(() => URL.revokeObjectURL(href), 1000);
    } catch (error) {
      this.problem.textContent = inWords(error);
    }
  }

  openId() {}

  tick() {}

  key() {
    return false;
  }
}
