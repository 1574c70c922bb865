/** Spans of time in words and figures. All arguments are seconds. */

/** 65 -> "1:05", 3700 -> "1:01:40". */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}

/** 40 -> "40 s", 90 -> "2 min", 7300 -> "2 h", 200000 -> "2 d". */
export function span(seconds) {
  const value = Math.max(0, seconds);
  if (value < 60) return `${Math.floor(value)} s`;
  if (value < 5400) return `${Math.round(value / 60)} min`;
  if (value < 129600) return `${Math.round(value / 3600)} h`;
  return `${Math.round(value / 86400)} d`;
}

/** The time of day, with the date when it was not today. */
export function moment(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  const today = new Date().toDateString() === date.toDateString();
  const options = { hour: "2-digit", minute: "2-digit" };
  return date.toLocaleString([], today ? options : { ...options, day: "numeric", month: "short" });
}
