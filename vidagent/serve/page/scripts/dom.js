// DOM builders: a string is always text, so no text from a video or a model becomes markup.

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  check: "M4 12.5l5 5L20 6.5",
  cross: "M6 6l12 12M18 6L6 18",
  tilde: "M4 14c3-5 6-5 8-2s5 3 8-2",
  ring: "M12 5a7 7 0 1 0 0 14a7 7 0 1 0 0-14",
  play: "M8 5l11 7-11 7z",
  film: "M4 5h16v14H4zM8 5v14M16 5v14M4 12h4M16 12h4",
  upload: "M12 16V5M7 10l5-5 5 5M5 19h14",
  alert: "M12 8v5M12 16.5v.01M12 3.5L2.5 20h19z",
  plus: "M12 5v14M5 12h14",
  pencil: "M4 20l1-4L16 5l3 3L8 19z",
  bin: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
};

/**
 * Return an element. Attributes that are null or false are omitted, `on` holds listeners; children are nodes, text, or
 * null.
 */
export function el(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), attributes, children);
}

export function icon(name) {
  const shape = svg("path", { d: ICONS[name] });
  return svg("svg", { class: `icon icon-${name}`, viewBox: "0 0 24 24", "aria-hidden": "true" }, shape);
}

/** Return text of a user, a model or a video, isolated from the surrounding writing direction. */
export function isolated(text) {
  return el("bdi", {}, text);
}

export function button(label, onClick, attributes = {}) {
  return el("button", { type: "button", ...attributes, on: { click: onClick } }, ...[label].flat());
}

/** Announce a text to screen readers. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

/** Replace the children of an element. */
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
  return element;
}

/** Return a count with its noun in the right number. */
export function counted(count, noun, plural = `${noun}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? noun : plural}`;
}

function dress(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...present(children));
  return element;
}

function present(children) {
  return children.flat().filter((child) => child !== null && child !== undefined && child !== false);
}
