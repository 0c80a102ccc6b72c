// Formatting of times, and times found in an answer's text.

const CLOCK = /\b(?:(\d+):)?(\d{1,2}):(\d{2}(?:\.\d{1,3})?)\b/;
const SECONDS = /\b(\d+(?:\.\d{1,3})?)(?:\s?s\b|\s?seconds?\b)/;
const EITHER = new RegExp(`${CLOCK.source}|${SECONDS.source}`, "g");
const SAME_S = 0.06;

/** Return a time as `1:02:03.450`; milliseconds only if nonzero or requested. */
export function clock(seconds, { precise = true } = {}) {
  const ms = Math.round(Math.max(0, seconds) * 1000);
  const whole = precise ? Math.floor(ms / 1000) : Math.round(ms / 1000);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const fraction = precise && ms % 1000 ? `.${String(ms % 1000).padStart(3, "0")}` : "";
  const tail = `${String(rest).padStart(2, "0")}${fraction}`;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

export function range(startS, endS, options) {
  return `${clock(startS, options)} – ${clock(endS, options)}`;
}

/** Return a duration in a few words. */
export function lasting(seconds) {
  if (seconds < 9.95 && !Number.isInteger(seconds)) return `${seconds.toFixed(1)} s`;
  const [whole, minutes] = [Math.round(seconds), Math.round(seconds / 60)];
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function bytes(count) {
  const units = ["B", "kB", "MB", "GB"];
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  const value = count / 1000 ** step;
  return `${step && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[step]}`;
}

/** Return how long ago something was. */
export function ago(since1970S) {
  const then = new Date(since1970S * 1000);
  const time = then.toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hour12: false });
  if (then.toDateString() === new Date().toDateString()) return `today, ${time}`;
  return `${then.toLocaleDateString("en", { day: "numeric", month: "short" })}, ${time}`;
}

/**
 * Split a text into plain text and times of the video. `3.5 s` may be a time or a duration, so it counts as a time only
 * if it equals a known one.
 */
export function parts(text, knownS, durationS) {
  const found = [];
  let end = 0;
  for (const match of text.matchAll(EITHER)) {
    const time = timeOf(match, knownS);
    if (time === null || time > durationS + 1) continue;
    found.push({ text: text.slice(end, match.index) }, { text: match[0], time });
    end = match.index + match[0].length;
  }
  return [...found, { text: text.slice(end) }].filter((part) => part.text);
}

function timeOf([, hours, minutes, rest, seconds], knownS) {
  if (seconds === undefined) return Number(hours ?? 0) * 3600 + Number(minutes) * 60 + Number(rest);
  const time = Number(seconds);
  return knownS.find((known) => Math.abs(known - time) < SAME_S) ?? null;
}
