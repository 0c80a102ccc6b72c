// The choice of a video: dropped, from this device, from earlier uploads, or from the server's folders.

import * as api from "./api.js";
import { about, showError } from "./answer.js";
import { announce, button, counted, el, fill, icon, isolated } from "./dom.js";
import { ago, bytes, lasting } from "./times.js";

const KINDS = "video/*,.avi,.flv,.m2ts,.m4v,.mkv,.mov,.mp4,.mpeg,.mpg,.mts,.ogv,.ts,.webm,.wmv";
const MANY = 8;
const MOST = 16; // videos of one question
const missing = new Set(); // lists are drawn again and again

export class Library {
  /** `choose(name, file)` is called once a video is uploaded. */
  constructor(choose) {
    this.choose = choose;
    this.picked = new Map();
    this.together = el("div", { class: "together", role: "status", hidden: true });
    this.input = el("input", { type: "file", id: "file", accept: KINDS, class: "over-all", on: { change: () => this.input.files[0] && this.upload(this.input.files[0]) } });
    this.drop = el("div", { class: "drop" }, icon("upload"),
      el("label", { for: "file" }, el("b", {}, "Drop a video here"), " or choose a file"),
      el("p", { class: "quietly" }, `Up to ${bytes(api.mostBytes)}. It stays on this server.`), this.input);
    this.going = el("div", { class: "going", hidden: true });
    this.problem = el("div", { class: "notice bad", role: "alert", hidden: true });
    this.lists = el("div", { class: "shelves" });
    this.element = el("section", { class: "library", "aria-labelledby": "library-title" },
      el("h1", { id: "library-title" }, "Which video do you want to ask about?"),
      el("p", { class: "lead" }, "The answer says when it was seen and shows the frames that prove it."),
      this.drop, this.going, this.problem, this.lists, this.together);
  }

  /** List the available videos. */
  show(files, videos) {
    const uploads = files.map((file) => this.entry(file.id, file.filename, [lasting(file.video.duration_s), bytes(file.bytes), ago(file.created_at)], file));
    const there = videos.map((video) => this.entry(video.name, video.name, [bytes(video.bytes)]));
    fill(this.lists, shelf("Earlier uploads", uploads), shelf("On this server", there));
  }

  refuse(error) {
    this.problem.hidden = false;
    showError(this.problem, error);
  }

  async upload(file) {
    this.problem.hidden = true;
    if (file.size > api.mostBytes) {
      return this.refuse({ message: `${file.name} has ${bytes(file.size)}; the largest that this server takes is ${bytes(api.mostBytes)}.` });
    }
    const stop = new AbortController();
    const bar = el("progress", { max: 1, value: 0, "aria-label": `Upload of ${file.name}` });
    const words = el("span", { class: "quietly" }, "0%");
    fill(this.going, el("b", {}, isolated(file.name)), bar, words, button("Stop", () => stop.abort(), { class: "quiet" }));
    [this.going.hidden, this.drop.hidden] = [false, true];
    announce(`Uploading ${file.name}`);
    const progress = (fraction) => {
      bar.value = fraction;
      words.textContent = fraction < 1 ? `${Math.floor(100 * fraction)}% of ${bytes(file.size)}` : "Reading the video …";
    };
    try {
      const uploaded = await api.upload(file, progress, stop.signal);
      announce(`${file.name} is uploaded.`);
      this.choose(uploaded.id, uploaded);
    } catch (error) {
      if (error.name !== "AbortError") this.refuse(about(file.name, error));
    } finally {
      [this.going.hidden, this.drop.hidden] = [true, false];
      this.input.value = "";
    }
  }

  entry(name, title, facts, file = null) {
    const link = el("a", { href: `#/video/${encodeURIComponent(name)}` }, thumbnail(name), el("span", {}, el("b", {}, isolated(title)), el("small", {}, facts.join(" · "))));
    const remove = file && button(icon("bin"), () => this.remove(file, item), { class: "quiet", "aria-label": `Delete ${title}`, title: "Delete this upload" });
    const pick = button(icon("plus"), () => this.pick(name, title, pick), { class: "quiet pick", "aria-pressed": "false", "aria-label": `Ask about several: ${title}`, title: "Ask about several videos together" });
    const item = el("li", { "data-name": title.toLowerCase() }, link, pick, remove);
    return item;
  }

  /** Add a video to those that are asked about together, or take it out. */
  pick(name, title, pressed) {
    if (!this.picked.delete(name)) this.picked.set(name, title);
    pressed.setAttribute("aria-pressed", String(this.picked.has(name)));
    const names = [...this.picked.keys()];
    this.together.hidden = !names.length;
    const few = names.length < 2 ? "Choose another one" : names.length > MOST ? `At most ${MOST} can be asked about` : null;
    const go = el("a", { class: "button primary", href: `#/video/${names.map(encodeURIComponent).join("/")}` }, `Ask about ${names.length} videos`);
    fill(this.together, el("span", {}, isolated([...this.picked.values()].join(", "))), few ? el("span", { class: "quietly" }, few) : go);
  }

  async remove(file, item) {
    if (!confirm(`Delete ${file.filename} from the server?`)) return;
    try {
      await api.removeFile(file.id);
      item.remove();
      announce(`${file.filename} is deleted.`);
      this.element.querySelector("h1").focus();
    } catch (error) {
      this.refuse(error);
    }
  }
}

function shelf(title, entries) {
  if (!entries.length) return null;
  const list = el("ul", {}, entries);
  const filter = el("input", { type: "search", placeholder: "Filter", "aria-label": `Filter: ${title}`, on: { input: () => sift(list, filter.value) } });
  return el("section", { class: "shelf" }, el("div", { class: "shelf-head" }, el("h2", {}, title), el("span", { class: "quietly" }, counted(entries.length, "video")), entries.length > MANY && filter), list);
}

function sift(list, words) {
  for (const item of list.children) item.hidden = !item.dataset.name.includes(words.trim().toLowerCase());
}

/** Return a picture of a video, or a sign where there is none; one that is gone is not asked for. */
export function thumbnail(video, { gone = false } = {}) {
  const place = el("span", { class: "thumb" }, icon("film"));
  if (gone || missing.has(video)) return place;
  const picture = el("img", { alt: "", loading: "lazy" });
  place.append(picture);
  api.show(picture, api.frame(video), () => {
    missing.add(video);
    picture.remove();
  });
  return place;
}
