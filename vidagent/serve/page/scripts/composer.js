// The form for a question: which model answers, and collapsed fields for options and budget.

import * as api from "./api.js";
import { showError } from "./answer.js";
import { button, counted, el, fill, icon, isolated } from "./dom.js";

const BUDGET = [
  ["seconds", "Seconds", "any"],
  ["frames", "Frames", 1],
  ["model_calls", "Model calls", 1],
  ["steps", "Steps", 1],
  ["prompt_tokens", "Prompt tokens", 1],
  ["completion_tokens", "Reply tokens", 1],
  ["thinking_tokens", "Thinking tokens", 1],
];
const EMBEDDED = "reads text, codes, cuts, motion and colours; a vision-language model is needed for the rest";
const LENGTHS = [["short", "briefly"], ["medium", "in chapters"], ["long", "in detail"]];
const IDEAS = ['When does the text "…" appear?', "How many cuts are there?", "When does something move?"];

export class Composer {
  /**
   * `ask(question)` posts it, and throws the server's error; `model` is the one chosen before, if any, and `several` tells
   * that there are several videos, which have no summary.
   */
  constructor(ask, model = null, several = false) {
    this.ask = ask;
    this.model = new ModelChoice(model);
    this.text = el("textarea", {
      id: "question", rows: 1, maxlength: 20000, required: true, enterkeyhint: "send", "aria-describedby": "question-hint",
      on: { input: () => this.grow(), keydown: (event) => this.key(event) },
    });
    this.send = el("button", { type: "submit", class: "primary" }, "Ask");
    this.options = el("textarea", { id: "options", rows: 3, "aria-describedby": "options-hint" });
    this.limits = new Map(BUDGET.map(([name, , step]) => [name, el("input", { id: `budget-${name}`, type: "number", min: name === "seconds" ? 0.1 : name === "thinking_tokens" ? 0 : 1, step, inputmode: "decimal", placeholder: "no limit" })]));
    this.problem = el("div", { class: "notice bad", role: "alert", hidden: true });
    this.ideas = el("p", { class: "ideas" }, IDEAS.map((idea) => button(idea, () => this.suggest(idea), { class: "quiet" })));
    this.length = el("select", { id: "length", "aria-label": "Length of the summary" }, LENGTHS.map(([length, words]) => el("option", { value: length, selected: length === "medium" }, words)));
    this.summarise = button("Summarise", () => this.post({ summary: this.length.value }), { class: "quiet" });
    this.label = el("label", { for: "question" }, "What do you want to know?");
    this.element = el("form", { class: "composer", on: { submit: (event) => this.submit(event) } },
      el("div", { class: "asks" }, this.label, !several && el("span", { class: "summarise" }, this.summarise, this.length)), el("div", { class: "line" }, this.text, this.send),
      el("p", { class: "unseen", id: "question-hint" }, "Enter asks, Shift and Enter begins a new line."),
      this.problem, this.ideas, this.model.element, this.more());
  }

  /**
   * Mark the next question as a follow-up, and wait for the running answer, as a session takes one question at a time;
   * or, `anew`, as another question of its own.
   */
  followUp(waiting, anew = false) {
    this.label.textContent = anew ? "Ask another question" : "Ask a follow-up";
    this.text.placeholder = waiting && !anew ? "once this is answered" : "";
    this.ideas.hidden = true;
    this.send.disabled = this.summarise.disabled = this.waiting = waiting && !anew;
  }

  focus() {
    this.text.focus({ preventScroll: true });
  }

  more() {
    const field = ([name, label]) => el("div", { class: "field" }, el("label", { for: `budget-${name}` }, label), this.limits.get(name));
    this.summed = el("span", { class: "quietly" });
    this.fold = el("details", { class: "fold", on: { input: () => this.sum() } }, el("summary", {}, "Answers to choose from, budget", this.summed),
      el("div", { class: "field" }, el("label", { for: "options" }, "Answers to choose from"), this.options, el("p", { class: "quietly", id: "options-hint" }, "One a line, two at least.")),
      el("fieldset", {}, el("legend", {}, "What it may cost at most"), el("div", { class: "fields" }, BUDGET.map(field))));
    return this.fold;
  }

  /** Show what is set while the fields are collapsed. */
  sum() {
    const { options = [], budget = {} } = this.extras();
    const set = [options.length && counted(options.length, "answer"), ...Object.entries(budget).map(([name, value]) => `${value} ${name.replace("_", " ")}`)];
    this.summed.textContent = set.filter(Boolean).join(", ");
  }

  suggest(idea) {
    this.text.value = idea;
    this.focus();
    const blank = idea.indexOf("…");
    if (blank >= 0) this.text.setSelectionRange(blank, blank + 1);
    this.grow();
  }

  key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.element.requestSubmit();
  }

  grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight + 2, 240)}px`;
  }

  submit(event) {
    event.preventDefault();
    const question = this.text.value.trim();
    return question ? this.post({ question }) : null;
  }

  /** Ask a question, or for a summary, which leaves what is typed as it is. */
  async post(asked) {
    if (this.send.disabled) return;
    this.send.disabled = this.summarise.disabled = true;
    this.problem.hidden = true;
    try {
      const { options, ...extras } = this.extras();
      await this.ask({ ...asked, ...extras, ...(options && asked.question ? { options } : {}) });
      if (asked.question) this.text.value = this.options.value = "";
      this.fold.open = false;
      this.sum();
      this.grow();
    } catch (error) {
      this.refuse(error);
    } finally {
      this.send.disabled = this.summarise.disabled = Boolean(this.waiting);
    }
  }

  extras() {
    const options = this.options.value.split("\n").map((line) => line.trim()).filter(Boolean);
    const limits = [...this.limits].filter(([, input]) => input.value !== "").map(([name, input]) => [name, Number(input.value)]);
    return { ...this.model.chosen(), ...(options.length ? { options } : {}), ...(limits.length ? { budget: Object.fromEntries(limits) } : {}) };
  }

  refuse(error) {
    const wait = error.retryS ? `Try again in ${error.retryS} s.` : null;
    this.problem.hidden = false;
    showError(this.problem, error);
    if (wait) this.problem.lastChild.append(el("p", { class: "quietly" }, wait));
    this.focus();
  }
}

/** Says which model answers, before a question is asked, and lets another one of the server be chosen. */
class ModelChoice {
  /** `before` is the model that was chosen for the question before, if any. */
  constructor(before) {
    this.words = el("span", { class: "quietly" });
    this.select = el("select", { id: "model", on: { change: () => this.describe() } });
    this.element = el("p", { class: "model" });
    this.models = [];
    api.models().then(({ data }) => this.show(data, before), (error) => fill(this.element, icon("alert"), isolated(error.message)));
  }

  /** Return the field of a question that names the model; none for the server's own choice. */
  chosen() {
    const model = this.model;
    return model && !model.default ? { model: model.id } : {};
  }

  get model() {
    return this.models[this.select.selectedIndex];
  }

  show(models, before) {
    this.models = models;
    fill(this.select, models.map(({ id, embedded, sees }) => el("option", { value: id, selected: id === before }, `${id}${embedded ? " (embedded)" : sees === false ? " (takes no pictures)" : ""}`)));
    fill(this.element, el("label", { for: "model" }, "Answered by"), this.select, this.words);
    this.describe();
  }

  describe() {
    this.words.textContent = this.model.embedded ? EMBEDDED : "";
  }
}
