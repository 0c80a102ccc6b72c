// The stage: the player, and below it the timeline of the current question.

import * as api from "./api.js";
import { announce, el, fill, icon, svg } from "./dom.js";
import { NO_TRACKS, Timeline } from "./timeline.js";
import { clock, lasting } from "./times.js";
import { Transcript } from "./transcript.js";

const INSIDE_S = 0.001; // a frame's own time, rounded, may lie just before it
const SAME_S = 0.03;
const STILL_PX = 1280;
const STILL_MS = 150; // after the slider has come to rest

export class Stage {
  /** `durationS` is 0 where it is not known yet. */
  constructor(video, title, durationS = 0) {
    this.video = video;
    this.timeline = new Timeline((time) => this.seek(time));
    this.transcript = new Transcript(video, (time) => this.seek(time, { tell: true }));
    this.tracks = NO_TRACKS;
    this.durationS = durationS;
    this.boxes = svg("svg", { class: "box-over", "aria-hidden": "true" });
    this.player = el("video", {
      controls: true, preload: "metadata", playsinline: true, "aria-label": `Player: ${title}`,
      on: {
        loadedmetadata: () => this.loaded(),
        timeupdate: () => this.moved(),
        seeking: () => this.moved(),
      },
    });
    this.screen = el("div", { class: "screen" }, this.player, this.boxes);
    this.facts = el("p", { class: "facts" });
    this.element = el("section", { class: "stage", "aria-label": "Video" }, this.screen, this.timeline.element, this.facts, this.transcript.element);
    this.title = title;
    this.describe();
    this.timeline.element.hidden = true;
    if (/^https?:/.test(video)) this.unplayable("This video is fetched by the server; it is not shown here.");
    else api.show(this.player, api.content(video), () => this.showStills());
  }

  /** Show a question's looks, coverage, answer and evidence. */
  show(tracks, durationS = null) {
    this.tracks = tracks;
    const ends = [...tracks.looks, ...tracks.seen, ...tracks.spans].map((span) => span.end_s);
    if (!this.playerS) this.durationS = Math.max(this.durationS, durationS ?? 0, ...ends);
    this.timeline.element.hidden = !this.durationS;
    if (this.durationS) this.timeline.show(this.durationS, tracks);
    this.describe();
  }

  /** Seek to a time; a box, in pixels of a video of that size, is drawn while the player is paused there. */
  seek(time, { box = null, size = null, tell = false } = {}) {
    this.boxed = box && { time, box, size };
    this.player.pause();
    this.player.currentTime = time + INSIDE_S;
    this.timeline.moveTo(time);
    this.drawBox(time);
    this.showStill(time);
    if (tell) {
      announce(`The player is at ${clock(time)}.`);
      this.reveal();
    }
  }

  pause() {
    this.player.pause();
  }

  close() {
    this.pause();
    this.player.removeAttribute("src");
    this.player.load();
  }

  loaded() {
    const { duration, videoWidth, videoHeight } = this.player;
    if (!Number.isFinite(duration)) return;
    this.playerS = this.durationS = duration;
    this.size = `${videoWidth} × ${videoHeight}`;
    if (videoWidth) this.shape(videoWidth, videoHeight);
    this.show(this.tracks);
  }

  moved() {
    const time = this.player.currentTime;
    this.timeline.moveTo(time);
    this.drawBox(time);
  }

  drawBox(time) {
    const here = this.boxed && Math.abs(time - this.boxed.time) < SAME_S;
    fill(this.boxes, here && frameOf(this.boxed.box));
    if (here) this.boxes.setAttribute("viewBox", `0 0 ${this.boxed.size.width} ${this.boxed.size.height}`);
  }

  /** Scroll the player into view, as on a phone it may be off screen. */
  reveal() {
    const { top, bottom } = this.screen.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight) this.screen.scrollIntoView({ block: "nearest" });
  }

  describe() {
    const facts = [this.durationS ? lasting(this.durationS) : null, this.size].filter(Boolean).join(" · ");
    fill(this.facts, el("b", {}, el("bdi", {}, this.title)), facts && ` · ${facts}`);
  }

  unplayable(why) {
    this.still = null;
    fill(this.screen, el("p", { class: "no-picture" }, icon("film"), why));
  }

  /** Show a frame of the video in place of the player, and the frame of each time that is chosen. */
  showStills() {
    const why = "Your browser cannot play this video. It can be asked about all the same";
    this.still = el("img", { class: "still", alt: `Frame of ${this.title}`, on: { load: () => this.shape(this.still.naturalWidth, this.still.naturalHeight) } });
    fill(this.screen, this.still, this.boxes, el("p", { class: "caption" }, `${why}; times show their frames.`));
    api.show(this.still, api.frame(this.video, { side_px: STILL_PX }), () => this.unplayable(`${why}.`));
    if (this.durationS) this.show(this.tracks);
  }

  showStill(time) {
    if (!this.still) return;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => (this.still.src = api.frame(this.video, { time_s: time, side_px: STILL_PX })), STILL_MS);
  }

  shape(width, height) {
    this.screen.style.setProperty("--shape", `${width} / ${height}`);
  }
}

/** Return a box as two rectangles, so that it is visible on any image. */
export function frameOf([x0, y0, x1, y1]) {
  const place = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
  return [svg("rect", { ...place, class: "under" }), svg("rect", { ...place, class: "over" })];
}
