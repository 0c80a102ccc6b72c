// One question of a conversation: its steps while it runs, then its answer or error.

import * as api from "./api.js";
import { about, cost, downloads, showError, timeButton, view } from "./answer.js";
import { announce, button, counted, el, fill, icon, isolated } from "./dom.js";
import { Steps } from "./steps.js";
import { lasting } from "./times.js";
import { NO_TRACKS } from "./timeline.js";

export class Turn {
  /**
   * Args:
   *   job: the job, as returned by the server.
   *   hooks: `title` of the video, all `videos` if there are several, `seek(turn, time, options)`, `changed(turn)`,
   *     `ended(turn)`, `again(asked)`.
   */
  constructor(job, hooks) {
    this.job = job;
    this.hooks = hooks;
    this.stopped = new AbortController();
    this.seek = (time, options) => hooks.seek(this, time, { tell: true, ...options });
    this.steps = new Steps((label, time, video) => timeButton(label, time, this.seek, { video }));
    this.heading = el("h2", { tabindex: -1, dir: "auto" }, isolated(job.asked.question));
    this.body = el("div", { class: "turn-body" });
    this.summary = el("summary", {}, "Steps");
    this.fold = el("details", { class: "fold", on: { toggle: () => this.fold.open && this.follow() } }, this.summary, this.steps.element);
    this.element = el("article", { class: "turn", on: { click: () => hooks.changed(this) } }, this.heading, choices(job.asked), this.body);
    this.draw();
  }

  get running() {
    return this.job.ended_at === null;
  }

  /** Return the question's data for the timeline of a video; `video` is null if there is only one. */
  tracks(video) {
    const { answer } = this.job;
    const of = (items) => (video === null ? items : items.filter((item) => item.video === video));
    const known = answer ? { seen: of(answer.coverage.spans), spans: of(answer.spans), evidence: of(answer.evidence) } : NO_TRACKS;
    return { ...NO_TRACKS, ...known, looks: of(this.steps.places()) };
  }

  durationS(video) {
    const { answer } = this.job;
    return (answer?.videos?.[video] ?? answer?.video)?.duration_s ?? null;
  }

  /** Read the events once, live or from an ended job. */
  async follow() {
    if (this.following) return;
    this.following = true;
    const options = { signal: this.stopped.signal, onLost: (seconds) => this.lost(seconds) };
    try {
      for await (const event of api.events(this.job.id, options)) await this.take(event);
    } catch (error) {
      if (this.running) this.fail(error);
      this.following = false;
    }
  }

  /** Stop reading; the question itself continues. */
  leave() {
    this.stopped.abort();
    clearInterval(this.ticking);
  }

  async take(event) {
    if (event.kind === "ended") return this.end();
    if (event.kind === "model" && this.running) this.job.status = "running";
    const aloud = this.steps.add(event);
    if (this.running) {
      this.now();
      if (aloud) announce(aloud);
      this.steps.element.scrollTop = this.steps.element.scrollHeight;
    }
    this.hooks.changed(this, { quiet: true });
  }

  async end() {
    if (!this.running) return this.drawn();
    this.job = await api.job(this.job.id);
    this.draw();
    announce(outcome(this.job));
    this.hooks.changed(this);
    this.hooks.ended(this);
  }

  draw() {
    clearInterval(this.ticking);
    if (this.running) this.drawRunning();
    else if (this.job.answer) this.drawAnswer(this.job.answer);
    else this.drawNothing();
    this.drawn();
  }

  drawn() {
    const { count } = this.steps;
    this.fold.hidden = Boolean(this.following) && !count;
    fill(this.summary, "Steps", el("span", { class: "quietly" }, count ? counted(count, "step") : ""));
    this.hooks.changed(this, { quiet: true });
  }

  drawRunning() {
    this.line = el("p", { class: "doing" });
    this.since = el("span", { class: "quietly" });
    this.share = el("progress", { max: 1, "aria-label": "Done of this step" });
    const stop = button("Stop", () => this.stop(stop), { class: "quiet" });
    fill(this.body, el("div", { class: "progress" }, el("span", { class: "spinner", "aria-hidden": "true" }), this.line, this.since, stop, this.share), this.steps.element);
    this.steps.element.classList.add("live");
    this.ticking = setInterval(() => this.tick(), 1000);
    this.now();
    this.tick();
  }

  drawAnswer(answer) {
    this.steps.element.classList.remove("live");
    this.fold.append(this.steps.element);
    const titles = this.hooks.videos?.map(({ title }) => title);
    fill(this.body, view(answer, this.job.asked, this.seek, titles), this.fold, cost(answer), titles ? null : downloads(answer));
  }

  drawNothing() {
    this.steps.element.classList.remove("live");
    this.fold.append(this.steps.element);
    const again = button("Ask again", () => this.hooks.again(this.job.asked));
    if (this.job.status === "cancelled") {
      fill(this.body, el("div", { class: "notice" }, el("p", {}, "This question was stopped."), el("p", { class: "actions" }, again)), this.fold);
    } else {
      fill(this.body, showError(el("div", { class: "notice bad", role: "alert" }), about(this.hooks.title, this.job.error ?? { message: "It ended without an answer." }), again), this.fold);
    }
  }

  now() {
    fill(this.line, isolated(this.job.status === "queued" ? "Waiting for its turn" : this.steps.doing));
    this.share.hidden = this.steps.share === null;
    this.share.value = this.steps.share ?? 0;
  }

  tick() {
    fill(this.since, lasting(Math.max(0, Math.round(Date.now() / 1000 - this.job.created_at))));
  }

  lost(seconds) {
    if (!this.running) return;
    this.body.classList.toggle("lost", seconds > 0);
    if (seconds) fill(this.line, icon("alert"), "The connection is lost. The question goes on; trying again …");
    else this.now();
  }

  fail(error) {
    clearInterval(this.ticking);
    const again = button("Look again", () => location.reload());
    fill(this.body, showError(el("div", { class: "notice bad", role: "alert" }), error, again));
  }

  async stop(pressed) {
    pressed.disabled = true;
    try {
      await api.cancel(this.job.id);
      if (this.running) await this.end();
      this.heading.focus();
    } catch (error) {
      pressed.disabled = false;
      announce(error.message);
    }
  }
}

function choices({ options }) {
  return options?.length ? el("p", { class: "quietly" }, `Choose from ${counted(options.length, "answer")}.`) : null;
}

function outcome({ answer, error, status }) {
  if (answer) return `Answer: ${answer.answer}`;
  return error ? `No answer: ${error.message}` : `The question is ${status}.`;
}
