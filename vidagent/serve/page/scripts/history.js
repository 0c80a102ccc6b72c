// The history: earlier conversations from the server, the newest first.

import { button, el, fill, icon, isolated } from "./dom.js";
import { thumbnail } from "./library.js";
import { ago } from "./times.js";

const SIGNS = { answered: "check", partial: "tilde", not_found: "ring", cannot_judge: "ring", failed: "alert", cancelled: "cross" };
const WORDS = { answered: "answered", partial: "partial answer", not_found: "not found", cannot_judge: "cannot judge", failed: "failed", cancelled: "stopped", running: "running", queued: "waiting" };

/** Return a conversation's id: its session, or its job if it has none. */
export function keyOf(job) {
  return job.asked.session ?? job.id;
}

/** Return all videos of a question. */
export function videosOf({ video, more_videos }) {
  return [video, ...(more_videos ?? [])];
}

/** Return the jobs grouped by conversation, newest first, each in the order of its questions. */
export function conversations(jobs) {
  const found = new Map();
  for (const job of jobs) found.set(keyOf(job), [job, ...(found.get(keyOf(job)) ?? [])]);
  return found;
}

/**
 * Show the conversations. `hooks` are `titleOf(videos)`, their name for people; `there(video)`, whether it still exists;
 * `rename(key, title)` and `forget(key, title)`.
 */
export function show(element, jobs, current, hooks) {
  const entries = [...conversations(jobs)].map(([key, asked]) => entry(key, asked, key === current, hooks));
  element.hidden = !entries.length;
  fill(element, el("h2", {}, "History"), el("ol", {}, entries));
}

function entry(key, asked, here, hooks) {
  const last = asked.at(-1);
  const { video } = asked[0].asked;
  const title = last.title ?? asked[0].asked.question;
  const state = last.ended_at === null ? last.status : (last.answer?.status ?? last.status);
  const sign = el("span", { class: `sign ${state}`, title: WORDS[state] }, last.ended_at === null ? el("span", { class: "spinner" }) : icon(SIGNS[state]), el("span", { class: "unseen" }, `${WORDS[state]}: `));
  const more = asked.length > 1 ? ` · ${asked.length} questions` : "";
  const words = el("span", {}, el("b", {}, isolated(title)), el("small", {}, sign, isolated(hooks.titleOf(videosOf(asked[0].asked))), more, el("br"), ago(last.created_at)));
  const link = el("a", { href: `#/talk/${encodeURIComponent(key)}`, "aria-current": here ? "page" : null }, thumbnail(video, { gone: !hooks.there(video) }), words);
  const tool = (sign_, name, action) => button(icon(sign_), () => action(key, title), { class: "quiet", "aria-label": `${name}: ${title}`, title: name });
  return el("li", {}, link, el("span", { class: "tools" }, tool("pencil", "Rename", hooks.rename), tool("bin", "Delete", hooks.forget)));
}
