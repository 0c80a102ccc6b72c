// The history: earlier conversations from the server, the newest first.

import { el, fill, icon, isolated } from "./dom.js";
import { ago } from "./times.js";

const SIGNS = { answered: "check", partial: "tilde", not_found: "ring", failed: "alert", cancelled: "cross" };
const WORDS = { answered: "answered", partial: "partial answer", not_found: "not found", failed: "failed", cancelled: "stopped", running: "running", queued: "waiting" };

/** Return a conversation's id: its session, or its job if it has none. */
export function keyOf(job) {
  return job.asked.session ?? job.id;
}

/** Return the jobs grouped by conversation, newest first, each in the order of its questions. */
export function conversations(jobs) {
  const found = new Map();
  for (const job of jobs) found.set(keyOf(job), [job, ...(found.get(keyOf(job)) ?? [])]);
  return found;
}

/** Show the conversations; `titleOf(video)` names a video for people. */
export function show(element, jobs, current, titleOf) {
  const entries = [...conversations(jobs)].map(([key, asked]) => entry(key, asked, key === current, titleOf));
  element.hidden = !entries.length;
  fill(element, el("h2", {}, "History"), el("ol", {}, entries));
}

function entry(key, asked, here, titleOf) {
  const last = asked.at(-1);
  const state = last.ended_at === null ? last.status : (last.answer?.status ?? last.status);
  const sign = el("span", { class: `sign ${state}`, title: WORDS[state] }, last.ended_at === null ? el("span", { class: "spinner" }) : icon(SIGNS[state]), el("span", { class: "unseen" }, `${WORDS[state]}: `));
  const more = asked.length > 1 ? ` · ${asked.length} questions` : "";
  const words = el("span", {}, el("b", {}, isolated(asked[0].asked.question)), el("small", {}, isolated(titleOf(asked[0].asked.video)), more, el("br"), ago(last.created_at)));
  return el("li", {}, el("a", { href: `#/talk/${encodeURIComponent(key)}`, "aria-current": here ? "page" : null }, sign, words));
}
