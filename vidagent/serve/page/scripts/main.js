// The page: routes by address, and the history beside the content.

import * as api from "./api.js";
import { showError } from "./answer.js";
import { announce, button, el, fill } from "./dom.js";
import { Find } from "./find.js";
import * as history from "./history.js";
import { Library } from "./library.js";
import { form } from "./signin.js";
import { Talk } from "./talk.js";

const AGAIN_MS = 5000;
const main = document.getElementById("main");
const side = document.getElementById("history");
const toggle = document.getElementById("history-toggle");
const signOut = document.getElementById("sign-out");
const known = { jobs: [], files: [], videos: [] };
let talk = null;
let here = null;

toggle.addEventListener("click", () => unfold(toggle.getAttribute("aria-expanded") !== "true"));
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
signOut.addEventListener("click", async () => {
  await api.signOut().catch(() => {});
  location.hash = "#/";
  start();
});
window.addEventListener("hashchange", route);
window.addEventListener("dragover", (event) => event.preventDefault());
window.addEventListener("dragenter", () => document.body.classList.add("dragging"));
window.addEventListener("dragleave", (event) => event.relatedTarget ?? document.body.classList.remove("dragging"));
window.addEventListener("drop", dropped);
api.whenRefused(() => start("The key is no longer taken. Sign in again."));
setInterval(() => {
  const open = known.jobs.some((job) => job.ended_at === null);
  if (open && !document.hidden) refresh().catch(() => {});
}, AGAIN_MS);
start();

async function start(why = null) {
  close();
  here = null;
  side.hidden = toggle.hidden = true;
  signOut.hidden = !api.keyed || !api.key();
  document.body.classList.toggle("signed-out", signedOut());
  if (signedOut()) return fill(main, form(() => start(), why));
  try {
    await Promise.all([api.renew(), load()]);
    route();
  } catch (error) {
    if (signedOut()) return;
    fill(main, showError(el("div", { class: "notice bad alone", role: "alert" }), error, button("Try again", () => start())));
  }
}

async function load() {
  const [jobs, files, videos] = await Promise.all([api.jobs(), api.files(), api.videos()]);
  Object.assign(known, { jobs: jobs.data, files: files.data, videos: videos.data });
}

async function refresh() {
  known.jobs = (await api.jobs()).data;
  list();
}

function list() {
  history.show(side, known.jobs, here, { titleOf, there, rename, forget });
  toggle.hidden = side.hidden;
}

/** Show the content for the address, unless the page has changed the address itself. */
function route() {
  const [, kind, name] = location.hash.match(/^#\/(?:(video|talk|find|at)(?:\/(.+))?)?$/) ?? [];
  const parts = name === undefined ? [] : name.split("/").map(safely);
  const target = parts[0] ?? null;
  if (signedOut()) return;
  if (location.hash.startsWith("#") && !location.hash.startsWith("#/") && location.hash !== "#") return;
  unfold(false);
  if (kind === "talk" && target === here && talk) return;
  close();
  here = kind === "talk" ? target : null;
  list();
  if (kind === "talk") openTalk(target);
  else if (kind === "video" && parts.length && !parts.includes(null)) open(parts, []);
  else if (kind === "at" && parts.length > 1 && !parts.includes(null)) openAt(Number(parts[0]) || 0, parts.slice(1).join("/"));
  else if (kind === "find") openFind(target ?? "");
  else openLibrary();
}

function openTalk(key) {
  const jobs = history.conversations(known.jobs).get(key);
  if (jobs) return open(history.videosOf(jobs[0].asked), jobs);
  const back = el("a", { class: "button", href: "#/" }, "Choose a video");
  fill(main, showError(el("div", { class: "notice alone" }), { message: "This conversation is no longer kept." }, back));
}

function open(names, jobs) {
  const title = titleOf(names);
  const durationOf = (name) => known.files.find((file) => file.id === name)?.video.duration_s ?? 0;
  const videos = names.map((name) => ({ name, title: titleOf([name]), durationS: durationOf(name) }));
  talk = new Talk(videos, title, jobs, { asked, ended: () => refresh().catch(() => {}) });
  fill(main, talk.element);
  document.title = `${title} · vidagent`;
  scrollTo(0, 0);
  if (jobs.length) talk.element.querySelector("h1").focus({ preventScroll: true });
  else talk.composer.focus();
}

/** Open a video at a time, as the search has found it. */
function openAt(time, name) {
  open([name], []);
  talk.stage.seek(time, { tell: true });
}

function openFind(query) {
  const find = new Find(query, (asked) => window.history.replaceState(null, "", `#/find/${encodeURIComponent(asked)}`));
  fill(main, find.element);
  document.title = "Find · vidagent";
  scrollTo(0, 0);
  if (!query) find.input.focus();
}

function openLibrary() {
  const library = new Library(uploaded);
  library.show(known.files, known.videos);
  fill(main, library.element);
  document.title = "vidagent";
  scrollTo(0, 0);
  main.library = library;
}

function close() {
  talk?.close();
  talk = null;
  main.library = null;
}

function asked(job) {
  known.jobs.unshift(job);
  const key = history.keyOf(job);
  if (talk.session === key) here = key; // it is shown already
  location.hash = `#/talk/${encodeURIComponent(key)}`;
  list();
}

function uploaded(name, file) {
  known.files = [file, ...known.files.filter((one) => one.id !== file.id)];
  location.hash = `#/video/${encodeURIComponent(name)}`;
}

function dropped(event) {
  event.preventDefault();
  document.body.classList.remove("dragging");
  const file = event.dataTransfer?.files[0];
  if (!file || signedOut()) return;
  if (!main.library) {
    window.history.pushState(null, "", "#/"); // tells nobody, so the upload is not taken off the page again
    close();
    here = null;
    list();
    openLibrary();
  }
  announce(`Dropped ${file.name}`);
  main.library.upload(file);
}

async function rename(key, before) {
  const title = prompt("Name of this conversation", before)?.trim().slice(0, 200);
  if (!title || title === before) return;
  await change(() => api.rename(key, title), `It is named ${title}.`);
}

async function forget(key, title) {
  if (!confirm(`Delete “${title}” with its answers, frames and reports?`)) return;
  await change(async () => {
    await api.forget(key);
    if (key === here) location.hash = "#/";
  }, `${title} is deleted.`);
}

/** Change a conversation on the server, and show the history as it is then. */
async function change(work, words) {
  try {
    await work();
    await refresh();
    announce(words);
    side.querySelector("a")?.focus();
  } catch (error) {
    alert(error.message);
  }
}

function signedOut() {
  return api.keyed && !api.key();
}

function titleOf([video, ...more]) {
  const file = known.files.find((one) => one.id === video);
  const title = file?.filename ?? (video.startsWith("file-") ? "a deleted upload" : video);
  return more.length ? `${title} and ${more.length} more` : title;
}

function there(video) {
  return known.files.some((file) => file.id === video) || known.videos.some((one) => one.name === video);
}

function safely(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function unfold(open) {
  toggle.setAttribute("aria-expanded", String(open));
  document.body.classList.toggle("with-history", open);
}
