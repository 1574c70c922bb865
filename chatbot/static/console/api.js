/** The staff API: a key that is kept for this tab only, or the session of a signed-in person. */
import { HttpError, requestJson } from "../lib/http.js";

const STORED = "deskgate:staff-key";
/** The console and the panel lie one and two levels below the server's root. */
export const ROOT = new URL("../../", import.meta.url).href;

export class StaffApi {
  #csrf = null;
  onDenied = () => {};

  get key() {
    return sessionStorage.getItem(STORED) ?? "";
  }

  set key(value) {
    if (value) sessionStorage.setItem(STORED, value);
    else sessionStorage.removeItem(STORED);
  }

  /** What proves who asks, apart from a session's cookie. */
  headers() {
    if (this.key) return { Authorization: `Bearer ${this.key}` };
    return this.#csrf ? { "X-CSRF-Token": this.#csrf } : {};
  }

  /** {id, name, role, company, teams, session_expires_at} of who is signed in. */
  async me() {
    const me = await this.get("staff/me");
    this.#csrf = me.csrf_token ?? null;
    return me;
  }

  /** Ends a session on the server; a key is only forgotten. */
  async signOut() {
    const session = this.#csrf && !this.key;
    try {
      if (session) await this.post("auth/logout");
    } finally {
      this.key = "";
      this.#csrf = null;
    }
  }

  address(path, query = {}) {
    const url = new URL(`v1/${path}`, ROOT);
    for (const [name, value] of Object.entries(query)) {
      if (!["", null, undefined, false].includes(value)) url.searchParams.set(name, value);
    }
    return url.href;
  }

  get(path, query) {
    return this.#request(this.address(path, query), {});
  }

  /** A file that is not JSON. */
  async text(path, query) {
    const response = await fetch(this.address(path, query), { headers: this.headers() });
    if (!response.ok) throw new HttpError(response.status);
    return response.text();
  }

  post(path, body = {}) {
    return this.#request(this.address(path), { method: "POST", body });
  }

  delete(path) {
    return this.#request(this.address(path), { method: "DELETE" });
  }

  async #request(url, options) {
    const known = Boolean(this.key || this.#csrf);
    try {
      return await requestJson(url, { ...options, headers: this.headers() });
    } catch (error) {
      if (error.status === 401 && known) this.onDenied();
      throw error;
    }
  }
}

/** What went wrong, for staff: the server's detail says most, the network has none. */
export function inWords(error) {
  if (error.status === 0) return "The server cannot be reached. Check your connection.";
  if (error.status === 401) return "You are signed out. Please sign in again.";
  if (error.status === 403) return error.problem.detail || "Your role does not allow this.";
  if (error.status === 404) return "This does not exist any more.";
  if (error.status === 429) {
    return `Too many requests. Try again in ${error.retryAfter ?? "a few"} seconds.`;
  }
  if (error.status >= 500) return "The server could not do this. Nothing was changed; try again.";
  return error.message;
}

export const part = (text) => encodeURIComponent(text);
