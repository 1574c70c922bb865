/** One JSON request with problem+json errors (RFC 9457) turned into an exception. */

const TIMEOUT_MS = 20_000;

export class HttpError extends Error {
  /** status 0: the network failed, and nobody knows whether the request arrived. */
  constructor(status, problem = {}, retryAfter = null) {
    super(problem.detail || problem.title || (status ? `HTTP ${status}` : "network failure"));
    this.name = "HttpError";
    Object.assign(this, { status, problem, retryAfter });
  }

  /** The last part of the problem's type, such as "gate-refuses". */
  get kind() {
    return String(this.problem.type ?? "").split(/[/:#]/).pop();
  }

  get passing() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

export async function requestJson(url, { method = "GET", body, token, headers = {} } = {}) {
  const all = { Accept: "application/json", ...headers };
  if (token) all.Authorization = `Bearer ${token}`;
  if (body !== undefined) all["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(url, {
      method,
      headers: all,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new HttpError(0);
  }
  const text = await response.text().catch(() => "");
  let json = null;
  try {
    json = text ? JSON.parse(text) : null;
  } catch {
    json = null; // a proxy's error page; the status still says enough
  }
  if (!response.ok) {
    const after = Number(response.headers.get("Retry-After"));
    throw new HttpError(response.status, json ?? {}, after > 0 ? after : null);
  }
  return json;
}
