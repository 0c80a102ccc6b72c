// The timeline: looks, answer and evidence, with a slider that moves the player.

import { counted, el, fill, svg } from "./dom.js";
import { clock } from "./times.js";

const NARROW = 0.08; // of the video: an answer within less of it gets a second strip of its own
const LABELS = 5;

/** The timeline of a question without any events yet. */
export const NO_TRACKS = { looks: [], seen: [], spans: [], evidence: [] };

export class Timeline {
  constructor(onSeek) {
    this.whole = new Strip("Position in the video", onSeek);
    this.near = new Strip("Position around the answer", onSeek);
    this.nearBlock = el("div", { class: "near", hidden: true }, el("p", { class: "strip-name" }, "Around the answer"), this.near.element);
    this.legend = legend();
    this.words = el("p", { class: "unseen" });
    this.element = el("div", { class: "timeline" }, this.whole.element, this.nearBlock, this.legend, this.words);
  }

  show(durationS, tracks) {
    this.whole.show(0, durationS, tracks);
    const window = around(tracks.spans, durationS);
    this.nearBlock.hidden = !window;
    if (window) this.near.show(...window, tracks);
    this.legend.hidden = !tracks.looks.length && !tracks.seen.length;
    this.words.textContent = inWords(tracks);
  }

  moveTo(time) {
    this.whole.moveTo(time);
    this.near.moveTo(time);
  }
}

class Strip {
  constructor(label, onSeek) {
    this.answer = el("div", { class: "track answers" });
    this.seen = el("div", { class: "track looks" });
    this.ruler = el("div", { class: "ruler", "aria-hidden": "true" });
    this.slider = el("input", {
      type: "range", class: "seek", "aria-label": label, min: 0, max: 1, step: 0.01, value: 0,
      on: { input: () => onSeek(Number(this.slider.value)) },
    });
    this.element = el("div", { class: "strip" }, el("div", { class: "tracks" }, this.answer, this.seen, this.slider), this.ruler);
    [this.from, this.to] = [0, 1];
  }

  show(from, to, { looks, seen, spans, evidence }) {
    [this.from, this.to] = [from, to];
    this.slider.min = from;
    this.slider.max = to;
    this.slider.step = to - from > 120 ? 0.1 : 0.01;
    fill(this.answer, spans.map((span) => this.bar("span", span)), evidence.map((item) => this.mark(item)));
    const windows = looks.map((look) => this.bar(`look ${look.state}${this.broad(look) ? " broad" : ""}`, look));
    const times = [...new Set(looks.flatMap((look) => look.frames))].filter((time) => time >= from && time <= to);
    fill(this.seen, seen.map((span) => this.bar("seen", span)), windows, this.frames(times));
    fill(this.ruler, ...this.labels());
  }

  moveTo(time) {
    this.slider.value = time;
    this.slider.setAttribute("aria-valuetext", clock(time));
    this.slider.classList.toggle("outside", time < this.from || time > this.to);
  }

  /** Whether a look covers so much that it does not locate what it found. */
  broad({ start_s, end_s }) {
    return end_s - start_s > (this.to - this.from) / 4;
  }

  bar(kind, { start_s, end_s }) {
    const [start, end] = [Math.max(start_s, this.from), Math.min(end_s, this.to)];
    if (start > this.to || end < this.from) return null;
    const bar = el("span", { class: `bar-of ${kind}` });
    bar.style.left = this.place(start);
    bar.style.width = `${(100 * Math.max(0, end - start)) / (this.to - this.from)}%`;
    return bar;
  }

  mark({ time_s, verdict }) {
    if (time_s < this.from || time_s > this.to) return null;
    const mark = el("span", { class: `mark ${verdict}` });
    mark.style.left = this.place(time_s);
    return mark;
  }

  frames(times) {
    if (!times.length) return null;
    const path = times.map((time) => `M${(1000 * (time - this.from)) / (this.to - this.from)} 0v1`).join("");
    return svg("svg", { class: "frames", viewBox: "0 0 1000 1", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("path", { d: path }));
  }

  labels() {
    const long = this.to - this.from > 20;
    return Array.from({ length: LABELS }, (_, number) => {
      const time = this.from + ((this.to - this.from) * number) / (LABELS - 1);
      return el("span", {}, clock(long ? Math.round(time) : Math.round(time * 100) / 100));
    });
  }

  place(time) {
    return `${(100 * (time - this.from)) / (this.to - this.from)}%`;
  }
}

function around(spans, durationS) {
  if (!spans.length || durationS <= 0) return null;
  const [start, end] = [Math.min(...spans.map((s) => s.start_s)), Math.max(...spans.map((s) => s.end_s))];
  if ((end - start) / durationS > NARROW) return null;
  const room = Math.max(2 * (end - start), 0.01 * durationS, 0.5);
  return [Math.max(0, start - room), Math.min(durationS, end + room)];
}

function legend() {
  const entry = (kind, words) => el("span", {}, el("i", { class: `key ${kind}` }), words);
  const entries = [entry("span", "answer"), entry("mark", "evidence"), entry("look", "looked at"), entry("frames", "frames seen")];
  return el("p", { class: "legend", "aria-hidden": "true" }, ...entries);
}

function inWords({ looks, spans, evidence }) {
  const at = spans.map((span) => `${clock(span.start_s)} to ${clock(span.end_s)}`).join(", ");
  const sentences = [looks.length && `${counted(looks.length, "look")} taken.`, at && `The answer is at ${at}.`];
  if (evidence.length) sentences.push(`Evidence at ${evidence.map((item) => clock(item.time_s)).join(", ")}.`);
  return sentences.filter(Boolean).join(" ");
}
