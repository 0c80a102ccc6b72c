// Client of the server's routes: requests with the key, errors, uploads, and the events of a job.

const KEY = "vidagent-key";
const SILENT_MS = 45_000; // the server says something every 15 s
const RENEW_MS = 25 * 60_000; // a pass is good for an hour

export const keyed = document.documentElement.dataset.keys === "needed";
export const mostBytes = Number(document.documentElement.dataset.mostBytes);

/** An error from the server or the network: `code` is for programs, the message for people. */
export class ApiError extends Error {
  constructor(status, { code, message, id, details } = {}, retryS = null) {
    super(message ?? `The server answered ${status}.`);
    Object.assign(this, { status, code: code ?? "failed", id: id ?? null, details: details ?? [], retryS });
  }

  /** Whether a retry may succeed. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }
}

const unreachable = () =>
  new ApiError(0, { code: "unreachable", message: "The server cannot be reached. Is it still running?" });

let onRefused = () => {};

/** Set the function that is called when the key is refused. */
export function whenRefused(listener) {
  onRefused = listener;
}

export function key() {
  return sessionStorage.getItem(KEY);
}

/** Send a request and return the JSON of the response. */
export async function request(method, path, { json, ...rest } = {}) {
  const body = json === undefined ? undefined : JSON.stringify(json);
  const headers = json === undefined ? {} : { "Content-Type": "application/json" };
  const reply = await send(method, path, { body, headers, ...rest });
  return reply.status === 204 ? null : reply.json();
}

export const files = () => request("GET", "/v1/files?limit=1000");
export const videos = () => request("GET", "/v1/videos");
export const find = (query, limit) => request("GET", `/v1/library/find?${new URLSearchParams({ query, limit })}`);
export const jobs = () => request("GET", "/v1/jobs?limit=200");
export const models = () => request("GET", "/v1/agent-models");
export const ask = (asked) => request("POST", "/v1/jobs", { json: asked });
export const job = (id) => request("GET", `/v1/jobs/${encodeURIComponent(id)}`);
export const cancel = (id) => request("DELETE", `/v1/jobs/${encodeURIComponent(id)}`);
export const removeFile = (id) => request("DELETE", `/v1/files/${encodeURIComponent(id)}`);
export const rename = (conversation, title) => request("PATCH", `/v1/conversations/${encodeURIComponent(conversation)}`, { json: { title } });
export const forget = (conversation) => request("DELETE", `/v1/conversations/${encodeURIComponent(conversation)}`);
export const frame = (video, values = {}) => `/v1/videos/frame?${new URLSearchParams({ video, ...values })}`;
export const transcript = (video) => request("GET", `/v1/videos/transcript?video=${encodeURIComponent(video)}`);
export const content = (video) => `/v1/videos/content?video=${encodeURIComponent(video)}`;

/** Store a key for as long as this tab is open, if the server accepts it. */
export async function signIn(given) {
  await request("POST", "/v1/pass", { headers: { Authorization: `Bearer ${given}` } });
  sessionStorage.setItem(KEY, given);
}

/** Forget the key, and revoke the player's cookie. */
export async function signOut() {
  try {
    await request("DELETE", "/v1/pass");
  } finally {
    sessionStorage.removeItem(KEY);
  }
}

let renewedAt = -Infinity;

/** Get the cookie for the player and images, which cannot send the key. */
export async function renew() {
  if (!keyed) return;
  await request("POST", "/v1/pass");
  renewedAt = performance.now();
}

setInterval(() => {
  if (key() && performance.now() - renewedAt > RENEW_MS) renew().catch(() => {});
}, 60_000);

/** Set the source of a player or image; on failure try once more with a new cookie, as a restart revokes them all. */
export function show(element, url, onFailed) {
  let again = keyed;
  element.addEventListener("error", async () => {
    if (!again) return onFailed();
    again = false;
    await renew().then(() => (element.src = url), onFailed);
  });
  element.src = url;
}

/** Upload a video; `onProgress` gets the fraction sent. The signal aborts it. */
export function upload(file, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    const form = new FormData();
    form.append("file", file, file.name);
    sending.open("POST", "/v1/files");
    if (key()) sending.setRequestHeader("Authorization", `Bearer ${key()}`);
    sending.responseType = "json";
    sending.upload.addEventListener("progress", (event) => onProgress(event.loaded / event.total));
    sending.addEventListener("load", () => {
      if (sending.status === 200) return resolve(sending.response);
      reject(failure(sending.status, sending.response, sending.getResponseHeader("Retry-After")));
    });
    sending.addEventListener("error", () => reject(unreachable()));
    sending.addEventListener("abort", () => reject(new DOMException("Stopped.", "AbortError")));
    signal.addEventListener("abort", () => sending.abort());
    sending.send(form);
  });
}

/**
 * Yield the events of a job up to its end. A lost connection is reopened after the last event received; `onLost` gets
 * the seconds until then, and 0 once it is open again.
 */
export async function* events(id, { signal, onLost = () => {} }) {
  let last = 0;
  let waitS = 1;
  while (!signal.aborted) {
    try {
      for await (const event of stream(`/v1/jobs/${encodeURIComponent(id)}/events`, last, signal)) {
        if (waitS > 1) onLost(0);
        [last, waitS] = [event.number ?? last, 1];
        yield event;
        if (event.kind === "ended") return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && !error.passing) throw error;
    }
    onLost(waitS);
    await new Promise((resolve) => setTimeout(resolve, waitS * 1000));
    waitS = Math.min(waitS * 2, 15);
  }
}

async function* stream(path, last, signal) {
  const headers = { Accept: "text/event-stream", ...(last ? { "Last-Event-ID": String(last) } : {}) };
  const silence = new AbortController();
  const reply = await send("GET", path, { headers, signal: AbortSignal.any([signal, silence.signal]) });
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let timer = null;
  let rest = "";
  try {
    for (;;) {
      timer = setTimeout(() => silence.abort(), SILENT_MS);
      const { value, done } = await reader.read();
      clearTimeout(timer);
      if (done) return;
      const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
      rest = blocks.pop();
      yield* blocks.map(read).filter(Boolean);
    }
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}

function read(block) {
  const fields = {};
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
  }
  if (!fields.data) return null;
  return { number: fields.id === undefined ? null : Number(fields.id), ...JSON.parse(fields.data) };
}

async function send(method, path, { headers = {}, ...rest } = {}) {
  const all = key() ? { ...headers, Authorization: `Bearer ${key()}` } : headers;
  let reply;
  try {
    reply = await fetch(path, { method, headers: all, credentials: "same-origin", cache: "no-store", ...rest });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unreachable();
  }
  if (reply.ok) return reply;
  throw failure(reply.status, await reply.json().catch(() => null), reply.headers.get("Retry-After"));
}

function failure(status, body, retryAfter) {
  if (status === 401 && key()) {
    sessionStorage.removeItem(KEY);
    onRefused();
  }
  return new ApiError(status, body?.error, retryAfter === null ? null : Number(retryAfter));
}
