/**
 * Charts as inline SVG. The picture is one image with a sentence for a screen reader; the same
 * figures lie under it as a table. Colours come from the style sheet, so that both themes hold.
 */
import { h } from "../lib/dom.js";

const NAMESPACE = "http://www.w3.org/2000/svg";
const WIDTH = 560;
const HEIGHT = 170;
const LEFT = 44;
const BOTTOM = 22;
const TOP = 10;
const TICKS = 4;

function svg(tag, props = {}, ...children) {
  const node = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(props)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

const ROUND = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000];
/** Seconds that read well: 5 s … 30 s, 1 min … 30 min, 1 h … */
export const ROUND_TIMES = [5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 43_200, 86_400];

/** The least axis whose ticks are round and that holds the highest value. */
function ceiling(highest, round) {
  const step = round.find((one) => one * TICKS >= highest) ?? highest / TICKS;
  return step * TICKS;
}

/** series: [{name, style, values}], one value for each day; null leaves a gap. `whole` is the top of
 * an axis that always ends there, such as 1 for shares. */
function chart({ title, days, series, stacked, format, round = ROUND, whole }) {
  const tops = days.map((_, i) => (stacked ? series.reduce((sum, s) => sum + (s.values[i] ?? 0), 0)
    : Math.max(0, ...series.map((s) => s.values[i] ?? 0))));
  const top = whole ?? ceiling(Math.max(1, ...tops), round);
  const x = (i) => LEFT + ((i + 0.5) * (WIDTH - LEFT)) / days.length;
  const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
  const image = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img",
    "aria-label": `${title}, ${days[0]} to ${days.at(-1)}: ${said(series, format)}` });
  for (let i = 0; i <= TICKS; i += 1) {
    const value = (top / TICKS) * i;
    image.append(svg("line", { x1: LEFT, x2: WIDTH, y1: y(value), y2: y(value), class: "grid" }),
      svg("text", { x: LEFT - 6, y: y(value) + 4, class: "axis end" }, format(value)));
  }
  const every = Math.ceil(days.length / 7);
  days.forEach((day, i) => i % every === 0
    && image.append(svg("text", { x: x(i), y: HEIGHT - 5, class: "axis" }, short(day))));
  image.append(...(stacked ? bars(series, days, x, y) : lines(series, x, y)));
  return image;
}

function bars(series, days, x, y) {
  const width = Math.min(26, (0.7 * (WIDTH - LEFT)) / days.length);
  return days.flatMap((_, i) => {
    let base = 0;
    return series.flatMap(({ values, style }) => {
      const value = values[i] ?? 0;
      if (!value) return [];
      const from = base;
      base += value;
      return [svg("rect", { x: x(i) - width / 2, width, y: y(base), height: y(from) - y(base), class: style })];
    });
  });
}

function lines(series, x, y) {
  return series.flatMap(({ values, style }) => {
    const points = values.map((value, i) => (value === null ? null : [x(i), y(value)]));
    const path = points.map((p, i) => (p ? `${points[i - 1] ? "L" : "M"}${p[0]} ${p[1]}` : "")).join("");
    return [svg("path", { d: path, class: `curve ${style}` }),
      ...points.filter(Boolean).map(([cx, cy]) => svg("circle", { cx, cy, r: 2.5, class: `dot ${style}` }))];
  });
}

const short = (day) => new Date(`${day}T12:00`).toLocaleDateString([], { day: "numeric", month: "short" });

function said(series, format) {
  return series.map(({ name, values }) => {
    const known = values.filter((value) => value !== null);
    return `${name} ${known.length ? `${format(Math.min(...known))} to ${format(Math.max(...known))}` : "none"}`;
  }).join(", ");
}

/** A card: title, legend, picture, and the figures in a table that opens. */
export function chartCard(options) {
  const { title, days, series, format } = options;
  const empty = series.every(({ values }) => values.every((value) => value === null || (!value && !options.whole)));
  return h("section.card", h("h2", title),
    empty ? h("p.muted.none", "Nothing in these days.") : [
      h("ul.legend", series.map(({ name, style }) => h("li", h(`span.key.${style}`), name))),
      chart(options),
      h("details", h("summary", "Figures"), h("div.scroll", { tabindex: "0", role: "region",
        "aria-label": `${title}: figures` }, table(["Day", ...series.map(({ name }) => name)],
        days.map((day, i) => [short(day), ...series.map(({ values: v }) => (v[i] === null ? "–" : format(v[i])))]))))]);
}

/** A number with a bar of its share of the highest, for the eye; a screen reader hears the number. */
export function barred(value, highest, format) {
  const bar = h("span.share", { "aria-hidden": "true" });
  bar.style.setProperty("--share", String(highest ? value / highest : 0));
  return h("span.barred", bar, format(value));
}

/** Rows of cells; the first cell of each row is its heading. */
export function table(head, rows) {
  return h("table", h("thead", h("tr", head.map((cell) => h("th", { scope: "col" }, cell)))),
    h("tbody", rows.map(([first, ...cells]) => h("tr", h("th", { scope: "row", dir: "auto" }, first),
      cells.map((cell) => h("td", cell))))));
}
