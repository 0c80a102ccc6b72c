// The search of all indexed videos: hits with their pictures, each of which opens its video at that time.

import * as api from "./api.js";
import { showError } from "./answer.js";
import { announce, counted, el, fill, icon, isolated } from "./dom.js";
import { range } from "./times.js";

const MOST = 30;
const MOST_TOGETHER = 16; // videos of one question
const WAIT_MS = 300;

export class Find {
  /** `searched(query)` is called with each query, so that the address can name it. */
  constructor(query, searched) {
    this.searched = searched;
    this.input = el("input", { type: "search", id: "query", maxlength: 1000, value: query, placeholder: "red car, “GATE 7 OPEN”, harbour …" });
    this.form = el("form", { class: "find-form", role: "search", on: { submit: (event) => this.submit(event) } },
      el("label", { class: "unseen", for: "query" }, "What to look for"), this.input, el("button", { type: "submit", class: "primary" }, "Find"));
    this.found = el("div", { class: "found", "aria-busy": "false" });
    this.element = el("section", { class: "library find", "aria-labelledby": "find-title" },
      el("h1", { id: "find-title", tabindex: -1 }, "Find a moment in all videos"),
      el("p", { class: "lead" }, "Words that are said or shown, and pictures by what they show. A text in quotes is searched as a phrase."),
      this.form, this.found);
    if (query) this.search(query);
  }

  submit(event) {
    event.preventDefault();
    const query = this.input.value.trim();
    if (!query) return;
    this.searched(query);
    this.search(query);
  }

  async search(query) {
    const turn = (this.turn = Symbol("search"));
    const waiting = setTimeout(() => fill(this.found, el("p", { class: "quietly" }, "Searching …")), WAIT_MS);
    this.found.setAttribute("aria-busy", "true");
    try {
      const found = await api.find(query, MOST);
      if (turn === this.turn) this.show(found);
    } catch (error) {
      if (turn === this.turn) fill(this.found, showError(el("div", { class: "notice bad", role: "alert" }), error));
    } finally {
      clearTimeout(waiting);
      if (turn === this.turn) this.found.setAttribute("aria-busy", "false");
    }
  }

  show({ hits, searched, notes }) {
    const words = `${counted(hits.length, "moment")} in ${counted(searched, "indexed video")}`;
    announce(words);
    const names = [...new Set(hits.map((hit) => hit.video))].slice(0, MOST_TOGETHER);
    const together = names.length > 1 && el("a", { class: "button", href: `#/video/${names.map(encodeURIComponent).join("/")}` }, `Ask about these ${names.length} videos`);
    fill(this.found,
      el("div", { class: "shelf-head" }, el("p", { class: "quietly" }, words), together),
      notes.map((note) => el("p", { class: "notice" }, note)),
      hits.length > 0 && el("ol", { class: "hits", "aria-label": "Moments" }, hits.map(entry)));
  }
}

function entry({ video, time_s, end_s, why }) {
  const picture = el("span", { class: "thumb" }, icon("film"));
  const image = el("img", { alt: "", loading: "lazy" });
  picture.append(image);
  api.show(image, api.frame(video, { time_s: (time_s + end_s) / 2 }), () => image.remove());
  const words = el("span", {}, el("b", {}, isolated(video)), el("small", {}, range(time_s, end_s)), el("span", { class: "why" }, isolated(why)));
  return el("li", {}, el("a", { href: `#/at/${time_s}/${encodeURIComponent(video)}` }, picture, words));
}
