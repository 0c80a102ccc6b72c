// A conversation: the stage with its video, the questions so far, and the form for the next one.

import * as api from "./api.js";
import { Composer } from "./composer.js";
import { el } from "./dom.js";
import { NO_TRACKS } from "./timeline.js";
import { Stage } from "./stage.js";
import { Turn } from "./turn.js";

export class Talk {
  /** `hooks` are `asked(job)` and `ended(job)`. */
  constructor(video, title, jobs, hooks) {
    [this.video, this.title] = [video, title];
    this.hooks = hooks;
    this.session = jobs.length ? jobs[0].asked.session : fresh();
    this.stage = new Stage(video, title);
    this.turns = [];
    this.list = el("div", { class: "turns" });
    this.composer = new Composer((question) => this.ask(question));
    this.element = el("div", { class: "talk" }, el("h1", { class: "unseen", tabindex: -1 }, `Questions about ${title}`), this.stage.element, el("div", { class: "side" }, this.list, this.composer.element));
    for (const job of jobs) this.add(job);
    this.turns.filter((turn) => turn.running).forEach((turn) => turn.follow());
    this.turns.at(-1)?.follow();
  }

  get running() {
    return this.turns.some((turn) => turn.running);
  }

  close() {
    this.stage.close();
    this.turns.forEach((turn) => turn.leave());
  }

  async ask(question) {
    const session = this.session ?? fresh();
    const job = await api.ask({ video: this.video, session, ...question });
    this.hooks.asked(job);
    if (session !== this.session) return;
    const turn = this.add(job);
    turn.follow();
    turn.element.scrollIntoView({ block: "start" });
  }

  add(job) {
    const turn = new Turn(job, {
      title: this.title,
      seek: (from, time, options) => {
        this.touch(from);
        this.stage.seek(time, options);
      },
      changed: (from, { quiet = false } = {}) => this.changed(from, quiet),
      ended: (from) => {
        this.composer.followUp(this.running);
        if (inView(from.heading)) from.element.scrollIntoView({ block: "start" }); // its answer is taller than its steps
        this.hooks.ended(from.job);
      },
      again: ({ question, options, budget }) => this.ask({ question, options, budget }).catch((error) => this.composer.refuse(error)),
    });
    this.turns.push(turn);
    this.list.append(turn.element);
    this.composer.followUp(this.running);
    this.view(turn);
    return turn;
  }

  /** Update the timeline when a question changes or is touched; it shows the question touched last. */
  changed(turn, quiet) {
    if (!quiet) this.touch(turn);
    else if (turn === this.viewed) this.stage.show(turn.tracks, turn.durationS);
  }

  /** Show an older question again, and load its looks. */
  touch(turn) {
    this.view(turn);
    turn.follow();
  }

  view(turn) {
    this.viewed = turn;
    this.turns.forEach((other) => other.element.classList.toggle("viewed", other === turn));
    this.stage.show(turn?.tracks ?? NO_TRACKS, turn?.durationS);
  }
}

function inView(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
}

function fresh() {
  return `web-${crypto.getRandomValues(new Uint32Array(2)).reduce((text, part) => text + part.toString(36), "")}`;
}
