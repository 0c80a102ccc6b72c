// A conversation: the stage with its video, the questions so far, and the form for the next one.

import * as api from "./api.js";
import { Composer } from "./composer.js";
import { button, el, isolated } from "./dom.js";
import { NO_TRACKS } from "./timeline.js";
import { Stage } from "./stage.js";
import { Turn } from "./turn.js";

export class Talk {
  /** `videos` have `name`, `title` and `durationS`, 0 where it is not known; `hooks` are `asked(job)` and `ended(job)`. */
  constructor(videos, title, jobs, hooks) {
    [this.videos, this.title] = [videos, title];
    this.hooks = hooks;
    this.several = videos.length > 1; // such questions have no session, as that is about one video
    this.session = this.several ? null : jobs.length ? jobs[0].asked.session : fresh();
    this.turns = [];
    this.stages = videos.map(() => null);
    this.tabs = videos.map((video, number) => button(isolated(video.title), () => this.turnTo(number), { class: "quiet" }));
    this.place = el("div", { class: "stages" }, this.several && el("div", { class: "tabs", role: "group", "aria-label": "Videos" }, this.tabs));
    this.turnTo(0);
    this.list = el("div", { class: "turns" });
    this.composer = new Composer((question) => this.ask(question), jobs.at(-1)?.asked.model, this.several);
    this.element = el("div", { class: "talk" }, el("h1", { class: "unseen", tabindex: -1 }, `Questions about ${title}`), this.place, el("div", { class: "side" }, this.list, this.composer.element));
    for (const job of jobs) this.add(job);
    this.turns.filter((turn) => turn.running).forEach((turn) => turn.follow());
    this.turns.at(-1)?.follow();
  }

  get stage() {
    return this.stages[this.current];
  }

  /** Show a video, of several. */
  turnTo(number) {
    if (number === this.current) return;
    this.stage?.pause();
    this.current = number;
    const { name, title, durationS } = this.videos[number];
    if (!this.stage) {
      this.stages[number] = new Stage(name, title, durationS);
      this.place.append(this.stage.element);
    }
    this.stages.forEach((stage, other) => stage && (stage.element.hidden = other !== number));
    this.tabs.forEach((tab, other) => tab.setAttribute("aria-pressed", String(other === number)));
    this.draw();
  }

  /** Draw the tracks of the viewed question in the video that is shown. */
  draw() {
    const turn = this.viewed;
    this.stage.show(turn?.tracks(this.several ? this.current : null) ?? NO_TRACKS, turn?.durationS(this.current));
  }

  get running() {
    return this.turns.some((turn) => turn.running);
  }

  close() {
    this.stages.forEach((stage) => stage?.close());
    this.turns.forEach((turn) => turn.leave());
  }

  async ask(question) {
    const [video, ...more] = this.videos.map(({ name }) => name);
    const session = this.several ? null : (this.session ?? fresh());
    const job = await api.ask({ video, ...(this.several ? { more_videos: more } : { session }), ...question });
    this.hooks.asked(job);
    if (this.several || session !== this.session) return; // a conversation of its own, which is shown instead
    const turn = this.add(job);
    turn.follow();
    turn.element.scrollIntoView({ block: "start" });
  }

  add(job) {
    const turn = new Turn(job, {
      title: this.title,
      videos: this.several ? this.videos : null,
      seek: (from, time, options) => {
        this.touch(from);
        if (this.several) this.turnTo(options.video ?? this.current);
        this.stage.seek(time, options);
      },
      changed: (from, { quiet = false } = {}) => this.changed(from, quiet),
      ended: (from) => {
        this.composer.followUp(this.running, this.several);
        if (inView(from.heading)) from.element.scrollIntoView({ block: "start" }); // its answer is taller than its steps
        this.stages.forEach((stage) => stage?.transcript.refresh()); // a question about speech has it transcribed
        this.hooks.ended(from.job);
      },
      again: ({ question, summary, schema, options, model, budget }) => this.ask({ question, summary, schema, options, model, budget }).catch((error) => this.composer.refuse(error)),
    });
    this.turns.push(turn);
    this.list.append(turn.element);
    this.composer.followUp(this.running, this.several);
    this.view(turn);
    return turn;
  }

  /** Update the timeline when a question changes or is touched; it shows the question touched last. */
  changed(turn, quiet) {
    if (!quiet) this.touch(turn);
    else if (turn === this.viewed) this.draw();
  }

  /** Show an older question again, and load its looks. */
  touch(turn) {
    this.view(turn);
    turn.follow();
  }

  view(turn) {
    this.viewed = turn;
    this.turns.forEach((other) => other.element.classList.toggle("viewed", other === turn));
    this.draw();
  }
}

function inView(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
}

function fresh() {
  return `web-${crypto.getRandomValues(new Uint32Array(2)).reduce((text, part) => text + part.toString(36), "")}`;
}
