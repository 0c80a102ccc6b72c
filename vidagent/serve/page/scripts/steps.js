// The steps of a run, from its events: phases, looks with their observations, claims with their verdicts.

import { counted, el, fill, icon, isolated } from "./dom.js";
import { clock, range } from "./times.js";

const SEEN = {
  found: ["check", "found"],
  nothing: ["ring", "not there"],
  seen: ["check", "seen"],
  none: ["tilde", "no frame"],
  now: ["ring", "looking"],
};
const VERDICTS = { supported: "check", partial: "tilde", unsupported: "cross" };

export class Steps {
  /** `timeButton(label, time, video)` returns a button that moves the player. */
  constructor(timeButton) {
    this.timeButton = timeButton;
    this.element = el("ol", { class: "steps" });
    this.looks = new Map();
    this.claims = [];
    this.step = "Starting";
    this.share = null; // done of what goes on now, where that is known
  }

  get doing() {
    return this.passing ?? this.step;
  }

  get count() {
    return this.element.children.length;
  }

  /** Add an event; return a text to announce, if any. */
  add({ kind, text, data }) {
    [this.passing, this.share] = [null, null];
    const take = { progress: this.progress, model: this.model, step: this.phase, look: this.look, observation: this.observation, claim: this.claim, verdict: this.verdict, note: this.note, video: this.phase }[kind];
    return take ? take.call(this, text, data) : null;
  }

  progress(text, { fraction }) {
    this.passing = capital(text);
    this.share = fraction;
  }

  model(text, { model }) {
    this.row("phase", el("span", {}, "Model: ", isolated(model ?? text)));
  }

  phase(text) {
    this.step = capital(text);
    this.row("phase", isolated(this.step));
    return this.step;
  }

  look(text, data) {
    const label = range(data.start_s, data.end_s);
    const rate = data.fps ? ` at ${Number(data.fps.toPrecision(3))} fps` : "";
    const shown = data.frames ? `${counted(data.frames, "frame")}${rate}` : "from the index";
    this.step = `${capital(data.tool)} ${label}`;
    const head = el("span", { class: "head" }, this.timeButton(label, data.start_s, data.video), ` ${data.tool}, ${shown}`);
    const words = el("p", { class: "quietly" }, isolated(data.question));
    const mark = el("span", { class: "sign" });
    const item = this.row("look", mark, el("div", {}, head, words));
    const look = { ...data, frames: data.frame_times_s, state: "now", item, mark, words };
    this.looks.set(keyOf(data), look);
    this.settle(look, data.frames ? "now" : "none");
  }

  observation(text, data) {
    const { found } = data;
    const look = this.looks.get(keyOf(data));
    if (!look) return null;
    this.settle(look, found === true ? "found" : found === false ? "nothing" : "seen");
    fill(look.words, isolated(text));
    look.words.classList.remove("quietly");
    return found ? text : null;
  }

  claim(text, { time_s }) {
    this.step = capital(text);
    this.claims.push({ time_s, item: this.row("check-of", el("span", { class: "sign" }, icon("ring")), el("div", {}, isolated(text))) });
  }

  verdict(text, { claim, verdict, time_s, video }) {
    const open = this.claims.find((one) => one.time_s === time_s && !one.verdict);
    const item = open ? open.item : this.row("check-of");
    if (open) open.verdict = verdict;
    item.className = `check-of ${verdict}`;
    const words = el("div", {}, el("span", { class: "head" }, this.timeButton(clock(time_s), time_s, video), " checked"), el("p", {}, isolated(claim)), el("p", { class: "quietly" }, isolated(text)));
    fill(item, el("span", { class: "sign" }, icon(VERDICTS[verdict]), el("span", { class: "unseen" }, verdict)), words);
  }

  note(text) {
    this.row("note", el("span", { class: "sign" }, icon("alert")), isolated(text));
  }

  /** Return the looks for the timeline. */
  places() {
    return [...this.looks.values()];
  }

  settle(look, state) {
    look.state = state;
    look.item.className = `look ${state}`;
    const [sign, words] = SEEN[state];
    fill(look.mark, icon(sign), el("span", { class: "unseen" }, words));
  }

  row(kind, ...children) {
    const item = el("li", { class: kind }, ...children);
    this.element.append(item);
    return item;
  }
}

/** Return what tells a look apart: each video of several counts its own. */
function keyOf({ id, video }) {
  return `${video ?? ""} ${id}`;
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
