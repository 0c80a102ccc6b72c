// An answer: its text, spans, evidence and cost.

import { show } from "./api.js";
import { button, counted, el, fill, icon, isolated, svg } from "./dom.js";
import { frameOf } from "./stage.js";
import { clock, lasting, parts, range } from "./times.js";

const STATUS = { answered: ["check", "Answered"], not_found: ["ring", "Not found"], cannot_judge: ["ring", "Cannot judge"], partial: ["tilde", "Partial answer"] };
const VERDICTS = { supported: ["check", "Supported"], partial: ["tilde", "Partly supported"], unsupported: ["cross", "Not supported"] };
const BUDGETS = {
  seconds: ["seconds", "seconds"],
  steps: ["steps", "steps"],
  model_calls: ["model calls", "model_calls"],
  prompt_tokens: ["prompt tokens", "prompt_tokens"],
  computed_tokens: ["computed tokens", "computed_tokens"],
  completion_tokens: ["completion tokens", "completion_tokens"],
  thinking_tokens: ["thinking tokens", "thinking_tokens"],
  frames: ["frames", "frames_sent"],
};
const PART_LINE = /^\d+:\d\d[\d:.-]* /;
const COLUMNS = { seconds: "seconds", model_calls: "calls", prompt_tokens: "prompt tokens", completion_tokens: "reply tokens", frames_sent: "frames" };

/** Return the view of an answer; `seek(time, options)` moves the player, `titles` are those of several videos. */
export function view(answer, asked, seek, titles = null) {
  const times = [...answer.spans.flatMap((s) => [s.start_s, s.end_s]), ...answer.evidence.map((e) => e.time_s)];
  const go = titles ? null : seek; // a time in a text does not say in which video it is
  return el("div", { class: "answer" },
    badges(answer),
    el("p", { class: `answer-text${answer.status === "cannot_judge" ? " plain" : ""}`, dir: "auto" }, linked(headline(answer), times, answer.video.duration_s, go)),
    answer.status === "cannot_judge" && el("p", { class: "notice" }, icon("ring"), "If this server has another model, choose it beside “Answered by”, below, and ask again."),
    options(answer, asked),
    answer.fields && data(answer, seek),
    answer.chapters?.length ? summary(answer, seek) : answer.parts?.length ? chapters(answer, seek, titles) : !answer.fields && places(answer, seek, titles),
    closing(answer),
    answer.highlights?.length ? highlights(answer, seek) : null,
    evidence(answer, times, seek, titles),
  );
}

/** Return the name of the video that something is in, where there are several. */
function inVideo({ video }, titles) {
  return titles && el("span", { class: "quietly" }, isolated(titles[video]), " ");
}

/** Return the summary line and the details of the cost. */
export function cost(answer) {
  const { usage } = answer;
  const short = [lasting(usage.seconds), counted(usage.model_calls, "model call"), counted(usage.frames_sent, "frame")].join(" · ");
  return el("details", { class: "fold" },
    el("summary", {}, "Cost and budget", el("span", { class: "quietly" }, short)),
    limits(answer), byStep(usage),
    el("p", { class: "quietly" }, `Model ${answer.model}, run ${answer.run_id}.`),
  );
}

/** Return the download links. */
export function downloads(answer) {
  const run = `/v1/runs/${encodeURIComponent(answer.run_id)}`;
  const clip = (number) => el("a", { href: `${run}/clips/${number}.mp4`, download: `clip-${number + 1}.mp4` }, answer.spans.length > 1 ? `Clip ${number + 1}` : "Clip");
  return el("p", { class: "downloads" },
    el("a", { href: `${run}/report`, target: "_blank", rel: "noopener" }, "Report", el("span", { class: "unseen" }, " (opens a new tab)")),
    answer.spans.slice(0, 6).map((_, number) => clip(number)),
  );
}

/** Return a button that moves the player to a time. */
export function timeButton(label, time, seek, options = {}) {
  return button(label, () => seek(time, options), { class: "time", title: "Show it in the player" });
}

function linked(text, times, durationS, seek) {
  if (!seek) return text;
  return parts(text, times, durationS).map((part) => (part.time === undefined ? part.text : timeButton(part.text, part.time, seek)));
}

function badges(answer) {
  const [sign, words] = STATUS[answer.status];
  const facts = [
    answer.count === null ? null : `count ${answer.count.toLocaleString("en")}`,
    answer.status === "cannot_judge" ? null : `${Math.round(100 * answer.confidence)}% sure`,
    `frames within 0.5 s of ${Math.floor(100 * answer.coverage.fraction)}% of the ${answer.videos?.length ? "videos" : "video"}`,
  ].filter(Boolean);
  const ended = answer.budget.ended_by && el("p", { class: "notice doubt" }, icon("alert"), `The budget of ${BUDGETS[answer.budget.ended_by]?.[0] ?? answer.budget.ended_by} ended this run; what it had found by then stands here.`);
  return [el("p", { class: "badges" }, el("span", { class: `badge ${answer.status}` }, icon(sign), words), facts.map((fact) => el("span", {}, fact))), ended];
}

function options(answer, asked) {
  if (!asked.options?.length) return null;
  return el("ol", { class: "options" }, asked.options.map((text, number) => {
    const chosen = number === answer.choice;
    return el("li", { class: chosen ? "chosen" : null }, isolated(text), chosen && el("span", { class: "badge" }, icon("check"), "chosen"));
  }));
}

function places(answer, seek, titles) {
  if (!answer.spans.length) return null;
  return el("ul", { class: "places", "aria-label": "Where the answer is" }, answer.spans.map((span) =>
    el("li", {}, button([icon("play"), inVideo(span, titles), range(span.start_s, span.end_s), el("small", {}, ` ${lasting(span.end_s - span.start_s)}`)].filter(Boolean), () => seek(span.start_s, { video: span.video }), { class: "time place", title: "Show it in the player" }))));
}

/** Return the answer without the lines of its parts, which are listed below it, and without what follows them. */
function headline(answer) {
  const [lines, last] = linesOf(answer);
  return lines.slice(0, last + 1).filter((line) => !answer.parts?.length || !PART_LINE.test(line)).join("\n");
}

/** Return what the answer says after its parts, such as how many were left out. */
function closing(answer) {
  const [lines, last] = linesOf(answer);
  const text = lines.slice(last + 1).join("\n").trim();
  return text ? el("p", { class: "quietly", dir: "auto" }, text) : null;
}

/** Return the lines of an answer, and the place of the last one that tells a part, or of the very last. */
function linesOf(answer) {
  const lines = answer.answer.split("\n");
  const last = answer.parts?.length ? lines.findLastIndex((line) => PART_LINE.test(line)) : -1;
  return [lines, last < 0 ? lines.length - 1 : last];
}

function chapters(answer, seek, titles) {
  const proof = (part) => answer.evidence.find((item) => item.video === part.video && part.text.includes(item.claim) && item.time_s >= part.start_s && item.time_s <= part.end_s);
  const alike = new Set(answer.parts.map((part) => span(part, 1))).size < answer.parts.length;
  return el("ol", { class: "chapters", "aria-label": "Parts of the answer" }, answer.parts.map((part) => {
    const weak = part.verdict === "supported" ? null : weakness(part.verdict);
    const item = proof(part);
    const go = { video: part.video, ...(item?.box_px ? { box: item.box_px, size: videoOf(answer, part) } : {}) };
    return el("li", {}, timeButton(span(part, alike ? 10 : 1), part.start_s, seek, go), el("span", { dir: "auto" }, inVideo(part, titles), isolated(part.text), weak));
  }));
}

/** Return the chapters of a summary: the title of each, and its sentences with the times that show them. */
function summary(answer, seek) {
  const alike = new Set(answer.chapters.map((chapter) => span(chapter, 1))).size < answer.chapters.length;
  return el("ol", { class: "chapters", "aria-label": "Chapters" }, answer.chapters.map((chapter, number) => {
    const told = answer.sentences.map((sentence, place) => ({ ...sentence, proof: answer.evidence[place] })).filter((one) => one.chapter === number);
    const more = told.filter((one) => one.verdict !== "supported" || one.text.replace(/[.。;]+$/, "") !== chapter.title);
    return el("li", {}, timeButton(span(chapter, alike ? 10 : 1), chapter.start_s, seek), el("div", { dir: "auto" },
      el("strong", {}, isolated(chapter.title)),
      more.map((one) => el("p", {}, isolated(one.text), one.verdict !== "supported" && weakness(one.verdict), " ", timeButton(clock(one.time_s), one.time_s, seek, { box: one.proof?.box_px, size: answer.video })))));
  }));
}

function highlights(answer, seek) {
  return el("section", {}, el("h3", {}, "Highlights"), el("ol", { class: "chapters", "aria-label": "Highlights" }, answer.highlights.map((one) =>
    el("li", {}, timeButton(span(one, 1), one.start_s, seek), el("span", { dir: "auto" }, isolated(answer.sentences[one.sentence].text))))));
}

/** Return the data of an answer to a schema: each value with what proves it, or why it is null. */
function data(answer, seek) {
  const row = (field) => el("tr", {}, el("th", { scope: "row" }, el("bdi", {}, field.path ? broken(field.path) : "all")),
    el("td", {}, field.reason ? el("span", { class: "quietly" }, isolated(`null: ${field.reason}`)) : isolated(JSON.stringify(valueAt(answer.data, field.path)))),
    el("td", {}, field.reason === null && field.time_s !== null && timeButton(clock(field.time_s), field.time_s, seek)));
  return el("table", { class: "data", "aria-label": "Data" }, el("tbody", {}, answer.fields.map(row)));
}

/** Return a JSON Pointer that may be broken before each slash. */
function broken(pointer) {
  return pointer.split(/(?=\/)/).flatMap((part) => [el("wbr"), part]);
}

/** Return the value at a JSON Pointer. */
function valueAt(value, pointer) {
  return pointer.split("/").slice(1).reduce((inner, key) => inner[key.replaceAll("~1", "/").replaceAll("~0", "~")], value);
}

function weakness(verdict) {
  return el("span", { class: `weak ${verdict}`, title: VERDICTS[verdict][1] }, icon(VERDICTS[verdict][0]), el("span", { class: "unseen" }, VERDICTS[verdict][1]));
}

/** Return the time of a part as a player shows it: in whole seconds or in tenths. */
function span({ start_s, end_s }, steps) {
  const [start, end] = [start_s, end_s].map((time) => clock(Math.floor(time * steps + 1e-5) / steps).replace(/(\.\d)00$/, "$1"));
  return start === end ? start : `${start}–${end}`;
}

/** Return the properties of the video that something is in. */
function videoOf(answer, { video }) {
  return answer.videos?.[video] ?? answer.video;
}

function evidence(answer, times, seek, titles) {
  if (!answer.evidence.length) return null;
  const one = (item) => {
    const [sign, words] = VERDICTS[item.verdict];
    const video = videoOf(answer, item);
    const go = { video: item.video, box: item.box_px, size: video };
    return el("li", {}, el("figure", { class: `proof ${item.verdict}` }, photo(item, video, () => seek(item.time_s, go)),
      el("figcaption", {},
        el("p", { class: "verdict" }, el("span", { class: item.verdict }, icon(sign), words), inVideo(item, titles), timeButton(clock(item.time_s), item.time_s, seek, go)),
        el("p", {}, linked(item.claim, times, video.duration_s, titles ? null : seek)))));
  };
  return el("section", { class: "evidence" }, el("h3", {}, "Evidence"), el("ul", {}, answer.evidence.map(one)));
}

function photo(item, { width, height }, go) {
  if (!item.frame) return null;
  const picture = el("img", { width, height, loading: "lazy", alt: `Frame at ${clock(item.time_s)}${item.box_px ? ", what was seen in a box" : ""}` });
  const box = item.box_px && svg("svg", { class: "box-over", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, frameOf(item.box_px));
  const frame = button([picture, box].filter(Boolean), go, { class: "photo", title: "Show it in the player" });
  show(picture, item.frame, () => frame.replaceWith(el("p", { class: "no-picture" }, icon("film"), "The frame is no longer kept.")));
  return frame;
}

function limits({ budget, usage }) {
  const set = Object.entries(budget.limit).filter(([name, limit]) => limit !== null && BUDGETS[name]);
  if (!set.length) return el("p", {}, "No budget was set.");
  return el("ul", { class: "limits" }, set.map(([name, limit]) => {
    const [noun, item] = BUDGETS[name];
    const used = usage[item];
    const bar = el("span", { class: "level" }, el("i"));
    bar.firstChild.style.width = `${Math.min(100, (100 * used) / (limit || 1))}%`;
    return el("li", {}, el("span", {}, `${number(used)} of ${number(limit)} ${noun}`), bar);
  }));
}

function byStep(usage) {
  const names = Object.keys(COLUMNS).filter((name) => usage[name] > 0); // the embedded model has no tokens
  const row = (step, numbers) => el("tr", {}, el("th", { scope: "row" }, step), names.map((name) => el("td", {}, number(numbers[name]))));
  return el("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Cost by step" }, el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "step"), names.map((name) => el("th", { scope: "col" }, COLUMNS[name])))),
    el("tbody", {}, usage.by_step.map((step) => row(step.step, step))),
    el("tfoot", {}, row("all", usage))));
}

function number(value) {
  return (Number.isInteger(value) ? value : Math.round(value * 10) / 10).toLocaleString("en");
}

/** Return an error with the video's name in place of the …, which the server writes for its own paths. */
export function about(title, error) {
  return { ...error, message: error.message.replace(/^…(?=:)/, title) };
}

/** Fill an element with an error from the server: its message, details and id. */
export function showError(element, error, ...actions) {
  const details = error.details ?? [];
  return fill(element, icon("alert"), el("div", {},
    el("p", {}, isolated(error.message)),
    details.length > 0 && el("ul", {}, details.map((line) => el("li", {}, isolated(line)))),
    error.id && el("p", { class: "quietly" }, `Error ${error.code}, ${error.id}`),
    actions.length > 0 && el("p", { class: "actions" }, ...actions)));
}
