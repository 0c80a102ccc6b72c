// The sign-in form, on a server that requires a key.

import { ApiError, signIn } from "./api.js";
import { showError } from "./answer.js";
import { el } from "./dom.js";

/** Return the form; `done()` is called once the key is accepted. */
export function form(done, why = null) {
  const field = el("input", { id: "key", type: "password", required: true, autocomplete: "off", spellcheck: "false", placeholder: "vk-…", "aria-describedby": "key-hint" });
  const problem = el("div", { class: "notice bad", role: "alert", hidden: !why });
  if (why) showError(problem, { message: why });
  const submit = async (event) => {
    event.preventDefault();
    try {
      await signIn(field.value.trim());
      done();
    } catch (error) {
      problem.hidden = false;
      showError(problem, error instanceof ApiError && error.status === 401 ? { message: "This is not a key of this server, or no longer one." } : error);
      field.focus();
    }
  };
  return el("form", { class: "sign-in", on: { submit } },
    el("h1", {}, "Sign in"), el("label", { for: "key" }, "API key"), field,
    el("p", { class: "quietly", id: "key-hint" }, "Whoever runs this server makes one with ", el("code", {}, "vidagent serve keys add NAME"), ". It is kept until this tab is closed."),
    problem, el("button", { type: "submit", class: "primary" }, "Sign in"));
}
