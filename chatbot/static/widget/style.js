/**
 * The widget's look, as a constructable stylesheet: a site's Content-Security-Policy without
 * 'unsafe-inline' does not block it. Custom properties that begin with --deskgate- are public.
 */
const CSS = `
:host {
  --accent: var(--deskgate-accent, #1d5c48);
  --on-accent: var(--deskgate-on-accent, #ffffff);
  --surface: var(--deskgate-surface, light-dark(#ffffff, #151b19));
  --raised: var(--deskgate-raised, light-dark(#f3f1ec, #222b28));
  --text: var(--deskgate-text, light-dark(#1c2421, #edf1ee));
  --muted: var(--deskgate-muted, light-dark(#56615c, #a9b6b0));
  --line: var(--deskgate-line, light-dark(#dedbd3, #35403c));
  --link: var(--deskgate-link, light-dark(#17503e, #8fd3b6));
  --person: var(--deskgate-person, light-dark(#6a3f78, #d9b3e6));
  --person-soft: light-dark(#f4ecf7, #33263a);
  --warn: light-dark(#8a4a06, #f3c07c);
  --warn-soft: light-dark(#fdf3e3, #33291a);
  --bad: light-dark(#a3231c, #ffa79f);
  --radius: var(--deskgate-radius, 18px);
  --gap: var(--deskgate-offset, 20px);
  all: initial;
  display: block;
  color-scheme: light dark;
  font: 400 15px/1.5 var(--deskgate-font, ui-sans-serif, system-ui, -apple-system, "Segoe UI", sans-serif);
  color: var(--text);
  direction: inherit;
}
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
:host([hidden]) { display: none; }
*, ::before, ::after { box-sizing: border-box; }
[hidden] { display: none !important; }
h2, p, ol, ul { margin: 0; padding: 0; }
ol, ul { list-style: none; }
button, input, textarea { font: inherit; color: inherit; }
button { cursor: pointer; }
button:disabled { cursor: default; opacity: .6; }
:focus-visible { outline: 3px solid light-dark(#1b6fd0, #8cc2ff); outline-offset: 2px; }
.visually-hidden { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.icon { inline-size: 22px; block-size: 22px; fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linecap: round; stroke-linejoin: round; flex: none; }

.launcher { position: fixed; z-index: var(--deskgate-z, 2147483000); inset-block-end: var(--gap); inset-inline-end: var(--gap);
  display: grid; place-items: center; inline-size: 60px; block-size: 60px; border: 0; border-radius: 50%;
  background: var(--accent); color: var(--on-accent);
  box-shadow: 0 2px 6px rgb(0 0 0 / .18), 0 10px 28px rgb(0 0 0 / .22); transition: transform .18s ease, box-shadow .18s ease; }
.launcher:hover { transform: translateY(-2px); }
.launcher .icon { inline-size: 28px; block-size: 28px; grid-area: 1 / 1; transition: opacity .15s, transform .2s; }
.launcher .shut, :host([data-open]) .launcher .chat { opacity: 0; transform: rotate(-40deg) scale(.7); }
:host([data-open]) .launcher .shut { opacity: 1; transform: none; }
.unread { position: absolute; inset-block-start: -3px; inset-inline-end: -3px; min-inline-size: 23px; block-size: 23px; padding-inline: 6px;
  border-radius: 12px; background: #b3261e; color: #fff; font-size: 12.5px; font-weight: 700; line-height: 23px; text-align: center;
  box-shadow: 0 0 0 2px var(--surface); }

.panel { position: fixed; z-index: var(--deskgate-z, 2147483000); inset-inline-end: var(--gap); inset-block-end: calc(var(--gap) + 74px);
  display: flex; flex-direction: column; inline-size: min(400px, calc(100vw - 2 * var(--gap))); block-size: min(660px, calc(100dvh - 2 * var(--gap) - 74px));
  overflow: hidden; border: 1px solid var(--line); border-radius: var(--radius); background: var(--surface);
  box-shadow: 0 4px 14px rgb(0 0 0 / .10), 0 24px 60px rgb(0 0 0 / .22); }
.head { display: flex; align-items: center; gap: 10px; padding: 12px 8px 12px 16px; background: var(--accent); color: var(--on-accent); }
:dir(rtl) .head { padding: 12px 16px 12px 8px; }
.titles { flex: 1; min-inline-size: 0; }
h2 { font-size: 16px; font-weight: 650; line-height: 1.3; }
.subtitle { font-size: 13px; line-height: 1.35; overflow-wrap: anywhere; }
.icon-button { display: grid; place-items: center; inline-size: 44px; block-size: 44px; border: 0; border-radius: 50%; background: transparent; }
.head .icon-button { color: inherit; }
.head .icon-button:hover { background: rgb(255 255 255 / .16); }
.head :focus-visible { outline-color: currentColor; outline-offset: -3px; }
.confirm { padding: 14px 16px; border-block-end: 1px solid var(--line); background: var(--raised); }
.row { display: flex; align-items: center; gap: 8px; flex-wrap: wrap; margin-block-start: 8px; }

.scroller { flex: 1; min-block-size: 0; overflow-y: auto; overscroll-behavior: contain; padding: 16px; scrollbar-width: thin; scrollbar-color: var(--line) transparent; }
.scroller:focus-visible { outline-offset: -3px; }
.ai-notice { margin-block-end: 16px; padding: 8px 12px; border-radius: 10px; background: var(--raised); color: var(--muted); font-size: 13px; text-align: center; }
.ai-notice:empty { display: none; }
.log { display: flex; flex-direction: column; gap: 16px; }
.message { display: flex; gap: 8px; max-inline-size: 94%; }
.message.customer { align-self: flex-end; max-inline-size: 84%; }
.column { min-inline-size: 0; display: flex; flex-direction: column; align-items: flex-start; }
.customer .column { align-items: flex-end; }
.meta { display: flex; gap: 8px; align-items: baseline; margin-block-end: 4px; font-size: 12.5px; color: var(--muted); }
.author { font-weight: 600; }
.person .author { color: var(--person); }
.avatar { flex: none; display: grid; place-items: center; inline-size: 28px; block-size: 28px; margin-block-start: 22px; border-radius: 50%;
  background: color-mix(in oklab, var(--accent) 16%, var(--surface)); color: var(--link); font-size: 13px; font-weight: 700; }
.avatar .icon { inline-size: 17px; block-size: 17px; }
.avatar.big { inline-size: 38px; block-size: 38px; margin: 0; background: rgb(255 255 255 / .16); color: inherit; }
.avatar.big .icon { inline-size: 22px; block-size: 22px; }
.person .avatar { background: var(--person-soft); color: var(--person); }
.bubble { padding: 10px 14px; border-radius: 4px 16px 16px 16px; background: var(--raised); white-space: pre-wrap; overflow-wrap: anywhere; }
:dir(rtl) .bubble { border-radius: 16px 4px 16px 16px; }
.customer .bubble { border-radius: 16px 16px 4px 16px; background: var(--accent); color: var(--on-accent); }
:dir(rtl) .customer .bubble { border-radius: 16px 16px 16px 4px; }
.person .bubble { background: var(--person-soft); }
.failed .bubble { outline: 1px dashed var(--bad); outline-offset: 2px; }
.sentence { animation: appear .35s ease both; }
@keyframes appear { from { opacity: 0; } }
.extra { max-inline-size: 100%; font-size: 13px; color: var(--muted); }
.status { margin-inline-end: 6px; }
.customer .extra { text-align: end; }
.failed .status { color: var(--bad); }
.sources { display: flex; flex-wrap: wrap; gap: 10px 8px; margin-block-start: 9px; }
.sources li { max-inline-size: 100%; }
.chip { position: relative; display: inline-flex; align-items: center; gap: 7px; max-inline-size: 100%; min-block-size: 32px; padding: 3px 11px 3px 5px;
  border: 1px solid var(--line); border-radius: 16px; color: var(--link); font-size: 13px; line-height: 1.3; text-decoration: none; }
:dir(rtl) .chip { padding: 3px 5px 3px 11px; }
a.chip::after { content: ""; position: absolute; inset: -6px 0; }
a.chip:hover { border-color: currentColor; }
a.chip:hover .chip-title { text-decoration: underline; text-underline-offset: 2px; }
.number { flex: none; display: grid; place-items: center; min-inline-size: 22px; block-size: 22px; border-radius: 11px; background: color-mix(in oklab, var(--accent) 16%, var(--surface)); font-size: 12px; font-weight: 700; }
.chip-title { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.thumbs { display: flex; margin-inline-start: -10px; }
.thumb { display: grid; place-items: center; inline-size: 44px; block-size: 44px; border: 0; border-radius: 50%; background: transparent; color: var(--muted); }
.thumb + .thumb { margin-inline-start: -6px; }
.thumb .icon { inline-size: 18px; block-size: 18px; }
.thumb:hover { color: var(--text); }
.thumb[aria-pressed="true"] { color: var(--link); }
.thumb[aria-pressed="true"] .icon { fill: color-mix(in oklab, currentColor 25%, transparent); }
.comment { margin-block-start: 4px; }

.notice, .divider { align-self: center; max-inline-size: 90%; padding-inline: 8px; color: var(--muted); font-size: 13px; text-align: center; overflow-wrap: anywhere; }
.divider { padding-block: 10px; border-block: 1px solid var(--line); }
.card { padding: 14px 16px; border: 1px solid var(--line); border-radius: 14px; background: var(--surface); overflow-wrap: anywhere; }
.card > * + * { margin-block-start: 6px; }
.card-head { display: flex; align-items: center; gap: 9px; }
.held, .handover { border-color: color-mix(in oklab, var(--person) 35%, var(--line)); background: var(--person-soft); }
.held .card-head, .handover .card-head { color: var(--person); }
.urgent, .error { border-color: color-mix(in oklab, var(--warn) 45%, var(--line)); background: var(--warn-soft); }
.urgent .card-head, .error .card-head .icon, .late { color: var(--warn); }
.ended { background: var(--raised); text-align: center; }
.facts { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 13px; font-variant-numeric: tabular-nums; font-weight: 600; }
.hint { color: var(--muted); font-size: 13px; }
.held .hint, .handover .hint { color: var(--text); }
.late:empty { display: none; }
.pulse { inline-size: 10px; block-size: 10px; margin: 0 4px; border-radius: 50%; background: currentColor; animation: pulse 1.8s ease-out infinite; }
@keyframes pulse { from { box-shadow: 0 0 0 0 color-mix(in oklab, currentColor 50%, transparent); } to { box-shadow: 0 0 0 9px transparent; } }
.contact { margin-block-start: 12px; padding-block-start: 12px; border-block-start: 1px solid color-mix(in oklab, var(--person) 25%, var(--line)); }
.form-title { font-weight: 650; }
label { display: block; margin-block-start: 8px; font-size: 13px; font-weight: 600; }
input, label textarea { display: block; inline-size: 100%; min-block-size: 44px; margin-block-start: 4px; padding: 9px 12px; border: 1px solid light-dark(#85908a, #6f7d77);
  border-radius: 10px; background: var(--surface); font-weight: 400; font-size: 16px; }
label textarea { resize: vertical; }
[aria-invalid="true"] { border-color: var(--bad) !important; }
.problem { color: var(--bad); font-size: 13px; }
.problem:not(:empty) { margin-block-start: 6px; }
.done { display: flex; gap: 8px; align-items: center; font-weight: 600; }
.primary, .secondary { min-block-size: 44px; padding: 8px 18px; border-radius: 22px; font-weight: 600; }
.primary { border: 0; background: var(--accent); color: var(--on-accent); }
.secondary { border: 1px solid light-dark(#85908a, #6f7d77); background: var(--surface); }
.primary:hover, .send:hover { filter: brightness(1.12); }
.secondary:hover { border-color: currentColor; }
.link, .contact a { min-block-size: 44px; padding: 4px 10px; border: 0; background: none; color: var(--link); font-weight: 600; font-size: 13.5px; text-decoration: underline; text-underline-offset: 3px; display: inline-flex; align-items: center; gap: 6px; }

.typing { margin-block-start: 14px; margin-inline-start: 36px; }
.dots { display: inline-flex; gap: 5px; padding: 13px 14px; border-radius: 4px 16px 16px 16px; background: var(--raised); }
.dots i { inline-size: 7px; block-size: 7px; border-radius: 50%; background: var(--muted); animation: bounce 1.2s infinite ease-in-out; }
.dots i:nth-child(2) { animation-delay: .15s; }
.dots i:nth-child(3) { animation-delay: .3s; }
@keyframes bounce { 0%, 60%, 100% { transform: none; opacity: .5; } 30% { transform: translateY(-4px); opacity: 1; } }

.line { padding: 0 16px; color: var(--muted); font-size: 13px; }
.foot { padding: 10px 12px 4px; border-block-start: 1px solid var(--line); background: var(--surface); }
.field { display: flex; align-items: flex-end; gap: 6px; padding: 4px; border: 1px solid light-dark(#85908a, #6f7d77); border-radius: 24px; background: var(--surface); }
.field:focus-within { border-color: transparent; outline: 2px solid var(--link); }
.field textarea { flex: 1; min-inline-size: 0; min-block-size: 44px; max-block-size: 132px; padding: 10px 6px 10px 14px; border: 0; outline: 0; background: transparent; resize: none; font-size: 16px; line-height: 1.45; }
:dir(rtl) .field textarea { padding: 10px 14px 10px 6px; }
textarea::placeholder { color: var(--muted); opacity: 1; }
.send { flex: none; display: grid; place-items: center; inline-size: 44px; block-size: 44px; border: 0; border-radius: 50%; background: var(--accent); color: var(--on-accent); }
.send[aria-disabled="true"] { background: var(--raised); color: var(--muted); cursor: default; filter: none; }
:dir(rtl) .send .icon, :dir(rtl) .head .icon-button .icon { transform: scaleX(-1); }
.count { padding: 4px 14px 0; color: var(--muted); font-size: 12.5px; text-align: end; }
.count:empty { display: none; }
.count.over { color: var(--bad); font-weight: 600; }
.footer-row { display: flex; justify-content: space-between; min-block-size: 8px; }
.footer-row :only-child, .footer-row [hidden] + * { margin-inline: auto; }
.quiet.link { color: var(--muted); font-weight: 400; }
.consent { margin-block-end: 16px; padding: 12px 14px; border: 1px solid var(--line); border-radius: 14px; }
.choices { border-block-end: 0; border-block-start: 1px solid var(--line); }
.choices .link { padding-inline: 0; margin-inline-end: 16px; }
.choice { display: flex; gap: 10px; align-items: center; min-block-size: 44px; margin: 0; font-size: 14px; }
.choice input { flex: none; inline-size: 20px; min-block-size: 20px; margin: 0; accent-color: var(--accent); }
.person.link { text-decoration: none; }
.person.link:hover { text-decoration: underline; }
.person.link .icon { inline-size: 18px; block-size: 18px; }

@media (max-width: 480px) {
  .panel { inset: 0; inline-size: 100%; block-size: 100dvh; border: 0; border-radius: 0; }
  :host([data-open]) .launcher { display: none; }
  .foot { padding-block-end: max(4px, env(safe-area-inset-bottom)); }
}
@media (prefers-reduced-motion: no-preference) {
  .panel:not([hidden]) { animation: rise .22s cubic-bezier(.2, .8, .3, 1); }
  @keyframes rise { from { opacity: 0; transform: translateY(14px); } }
}
@media (prefers-reduced-motion: reduce) {
  *, ::before, ::after { animation: none !important; transition: none !important; }
}
@media (forced-colors: active) {
  .bubble, .launcher, .panel { border: 1px solid; }
}
`;

export const sheet = new CSSStyleSheet();
sheet.replaceSync(CSS);
