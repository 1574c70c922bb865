/** The staff API: one key, kept for this tab only. */
import { requestJson } from "../lib/http.js";

const STORED = "deskgate:staff-key";
/** The console and the panel lie one and two levels below the server's root. */
export const ROOT = new URL("../../", import.meta.url).href;

export class StaffApi {
  onDenied = () => {};

  get key() {
    return sessionStorage.getItem(STORED) ?? "";
  }

  set key(value) {
    if (value) sessionStorage.setItem(STORED, value);
    else sessionStorage.removeItem(STORED);
  }

  get(path, query = {}) {
    const url = new URL(`v1/${path}`, ROOT);
    for (const [name, value] of Object.entries(query)) {
      if (value !== "" && value !== null && value !== undefined) url.searchParams.set(name, value);
    }
    return this.#request(url.href, {});
  }

  post(path, body = {}) {
    return this.#request(new URL(`v1/${path}`, ROOT).href, { method: "POST", body });
  }

  async #request(url, options) {
    try {
      return await requestJson(url, { ...options, token: this.key });
    } catch (error) {
      if (error.status === 401 && this.key) this.onDenied();
      throw error;
    }
  }
}

/** What went wrong, for staff: the server's detail says most, the network has none. */
export function inWords(error) {
  if (error.status === 0) return "The server cannot be reached. Check your connection.";
  if (error.status === 401) return "This key is not valid any more. Please sign in again.";
  if (error.status === 403) return error.problem.detail || "Your role does not allow this.";
  if (error.status === 404) return "This does not exist any more.";
  if (error.status === 429) {
    return `Too many requests. Try again in ${error.retryAfter ?? "a few"} seconds.`;
  }
  if (error.status >= 500) return "The server could not do this. Nothing was changed; try again.";
  return error.message;
}
