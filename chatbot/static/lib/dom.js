/**
 * Building DOM without markup strings: every text becomes a text node, so nothing that a
 * customer, a model or an article wrote can become an element or a script.
 */

const SVG = "http://www.w3.org/2000/svg";

/** Strokes on a 24 by 24 grid. */
const ICONS = {
  chat: ["M20 11.5a7.5 7.5 0 0 1-7.5 7.5H5l1.6-2.7A7.5 7.5 0 1 1 20 11.5Z", "M9 10.5h7M9 13.5h4.5"],
  close: ["M6 6l12 12M18 6L6 18"],
  down: ["M6 9.5l6 6 6-6"],
  send: ["M5 12h13M12.5 6.5L18 12l-5.5 5.5"],
  end: ["M14 4.5H7A1.5 1.5 0 0 0 5.5 6v12A1.5 1.5 0 0 0 7 19.5h7", "M10.5 12H20M16.5 8.5L20 12l-3.5 3.5"],
  up: ["M7.5 11v8.5M7.5 11l3.8-6.6c1.4 0 2.4 1 2.2 2.4L13 10h4.6c1.2 0 2 1.1 1.7 2.2l-1.5 5.6c-.3 1-1.1 1.7-2.2 1.7H7.5M7.5 11h-3v8.5h3"],
  thumbsdown: ["M7.5 13V4.5M7.5 13l3.8 6.6c1.4 0 2.4-1 2.2-2.4L13 14h4.6c1.2 0 2-1.1 1.7-2.2l-1.5-5.6c-.3-1-1.1-1.7-2.2-1.7H7.5M7.5 13h-3V4.5h3"],
  person: ["M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Z", "M4.5 20c.8-3.6 3.8-5.5 7.5-5.5s6.7 1.9 7.5 5.5"],
  clock: ["M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17Z", "M12 7.5V12l3 2"],
  lock: ["M7 11h10a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1H7a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1Z", "M8.5 11V8a3.5 3.5 0 0 1 7 0v3"],
  check: ["M5 12.5l4.5 4.5L19 7.5"],
  alert: ["M12 4l8.5 15h-17L12 4Z", "M12 10v4M12 16.6v.2"],
  retry: ["M19 12a7 7 0 1 1-2.2-5.1M19.5 4v4h-4"],
  spark: ["M12 4l1.8 5.2L19 11l-5.2 1.8L12 18l-1.8-5.2L5 11l5.2-1.8L12 4Z"],
};

export function icon(name, className = "icon") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  for (const d of ICONS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/**
 * h("button.primary", {type: "button", onclick}, "Send"): an element.
 * A property that starts with "on" is a listener; true is an empty attribute; false, null and
 * undefined are left out; children that are strings or numbers become text.
 */
export function h(tag, ...rest) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  const first = rest[0];
  const isProps = first && typeof first === "object" && !(first instanceof Node) && !Array.isArray(first);
  for (const [key, value] of Object.entries(isProps ? first : {})) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = [element.className, value].filter(Boolean).join(" ");
    else if (key === "value") element.value = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  append(element, isProps ? rest.slice(1) : rest);
  return element;
}

export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

/** An address that is safe to open: http(s) only, resolved against `base`; else null. */
export function safeUrl(url, base) {
  try {
    const resolved = new URL(url, base);
    return ["http:", "https:"].includes(resolved.protocol) ? resolved.href : null;
  } catch {
    return null;
  }
}

/** 128 random bits. crypto.randomUUID exists in secure contexts only; intranets use http. */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
