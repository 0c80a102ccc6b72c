// An answer: its text, spans, evidence and cost.

import { show } from "./api.js";
import { button, counted, el, fill, icon, isolated, svg } from "./dom.js";
import { frameOf } from "./stage.js";
import { clock, lasting, parts, range } from "./times.js";

const STATUS = { answered: ["check", "Answered"], not_found: ["ring", "Not found"], partial: ["tilde", "Partial answer"] };
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
const COLUMNS = { seconds: "seconds", model_calls: "calls", prompt_tokens: "prompt tokens", completion_tokens: "reply tokens", frames_sent: "frames" };

/** Return the view of an answer; `seek(time, options)` moves the player. */
export function view(answer, asked, seek) {
  const times = [...answer.spans.flatMap((s) => [s.start_s, s.end_s]), ...answer.evidence.map((e) => e.time_s)];
  return el("div", { class: "answer" },
    badges(answer),
    el("p", { class: "answer-text", dir: "auto" }, linked(headline(answer), times, answer.video.duration_s, seek)),
    options(answer, asked),
    answer.parts?.length ? chapters(answer, seek) : places(answer, seek),
    evidence(answer, times, seek),
  );
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
  return parts(text, times, durationS).map((part) => (part.time === undefined ? part.text : timeButton(part.text, part.time, seek)));
}

function badges(answer) {
  const [sign, words] = STATUS[answer.status];
  const facts = [
    answer.count === null ? null : `count ${answer.count.toLocaleString("en")}`,
    `${Math.round(100 * answer.confidence)}% sure`,
    `${Math.round(100 * answer.coverage.fraction)}% of the video looked at`,
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

function places(answer, seek) {
  if (!answer.spans.length) return null;
  return el("ul", { class: "places", "aria-label": "Where the answer is" }, answer.spans.map((span) =>
    el("li", {}, button([icon("play"), range(span.start_s, span.end_s), el("small", {}, ` ${lasting(span.end_s - span.start_s)}`)], () => seek(span.start_s), { class: "time place", title: "Show it in the player" }))));
}

/** Return the answer without the lines of its parts, which are listed below it. */
function headline(answer) {
  if (!answer.parts?.length) return answer.answer;
  return answer.answer.split("\n").filter((line) => !/^\d+:\d\d[\d:-]* /.test(line)).join("\n");
}

function chapters(answer, seek) {
  const proof = (part) => answer.evidence.find((item) => item.claim === part.text && item.time_s >= part.start_s && item.time_s <= part.end_s);
  return el("ol", { class: "chapters", "aria-label": "Parts of the answer" }, answer.parts.map((part) => {
    const weak = part.verdict === "supported" ? null : el("span", { class: `weak ${part.verdict}`, title: VERDICTS[part.verdict][1] }, icon(VERDICTS[part.verdict][0]), el("span", { class: "unseen" }, VERDICTS[part.verdict][1]));
    const item = proof(part);
    const go = item?.box_px ? { box: item.box_px, size: { width: answer.video.width, height: answer.video.height } } : {};
    return el("li", {}, timeButton(span(part), part.start_s, seek, go), el("span", { dir: "auto" }, isolated(part.text), weak));
  }));
}

/** Return the time of a part as a player shows it, without fractions. */
function span({ start_s, end_s }) {
  const [start, end] = [start_s, end_s].map((time) => clock(Math.floor(time + 1e-6)));
  return start === end ? start : `${start}–${end}`;
}

function evidence(answer, times, seek) {
  if (!answer.evidence.length) return null;
  const { width, height, duration_s } = answer.video;
  const one = (item) => {
    const [sign, words] = VERDICTS[item.verdict];
    const go = { box: item.box_px, size: { width, height } };
    return el("li", {}, el("figure", { class: `proof ${item.verdict}` }, photo(item, answer.video, () => seek(item.time_s, go)),
      el("figcaption", {},
        el("p", { class: "verdict" }, el("span", { class: item.verdict }, icon(sign), words), timeButton(clock(item.time_s), item.time_s, seek, go)),
        el("p", {}, linked(item.claim, times, duration_s, seek)))));
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
