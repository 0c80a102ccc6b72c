// What is said in a video, as far as it is transcribed: each line's time seeks.

import * as api from "./api.js";
import { button, counted, el, fill, isolated } from "./dom.js";
import { clock } from "./times.js";

const NOTHING = "Nothing is transcribed yet. Ask about something that is said, and it will be.";
const UNSET = "This server has no speech model, so what is said is not known.";

export class Transcript {
  /** `seek` is called with the time of a line that is chosen. */
  constructor(video, seek) {
    [this.video, this.seek] = [video, seek];
    this.summary = el("summary", {}, "What is said");
    this.body = el("div", { class: "said" });
    this.element = el("details", { class: "fold transcript", on: { toggle: () => this.refresh() } }, this.summary, this.body);
    this.element.hidden = /^https?:/.test(video);
  }

  /** Load the lines, if they are shown. */
  async refresh() {
    if (!this.element.open) return;
    try {
      this.show(await api.transcript(this.video));
    } catch (error) {
      fill(this.body, el("p", { role: "alert" }, error.message));
    }
  }

  show({ model, lines, complete, done_s }) {
    const note = !model ? UNSET : !done_s && !complete ? NOTHING : state(lines.length, complete, done_s);
    const items = lines.map((line) => el("li", {}, this.time(line.start_s), said(line)));
    fill(this.body, el("p", { class: "quietly" }, note), lines.length > 0 && el("ol", { class: "lines", tabindex: 0, "aria-label": "Lines" }, items));
  }

  time(startS) {
    return button(clock(Math.floor(startS)), () => this.seek(startS), { class: "time", title: clock(startS) });
  }
}

function said({ speaker, text }) {
  return el("span", {}, speaker && el("b", {}, isolated(speaker), " "), isolated(text));
}

function state(count, complete, doneS) {
  const far = complete ? "" : ` up to ${clock(doneS, { precise: false })}`;
  return count ? `${counted(count, "line")}${far}, written by a speech model.` : `No speech was heard${far}.`;
}
