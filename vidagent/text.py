"""Text for people and files: valid Unicode, no control characters, one line, counted nouns."""

from __future__ import annotations

import re
from typing import Any

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Characters that move the cursor, start an escape sequence, break a line or override the writing direction."""

QUOTED = re.compile(
    r"(?<!\w)\"[^\"]*\"(?!\w)|“[^“”]*”|„[^„“”\"]*[“”\"]|«[^«»]*»|»[^«»]*«|‹[^‹›]*›|「[^「」]*」|『[^『』]*』"
    r"|‘(?:[^‘’]|(?<=\w)’(?=\w))*’|(?<!\w)'(?:[^']|(?<=\w)'(?=\w))*'(?!\w)"
)
"""A quotation; a mark for inches and an apostrophe are none."""
_USER_INFO = re.compile(r"(?<=://)(?:[^/\s]*@|[^/\s:@]*:(?!\d{1,5}/)\S*@)")
"""Also with a slash in the password, which should have been escaped."""
_SECRET = re.compile(
    r"([?&;][^=&;#\s]*(?:pass|pwd|token|key|secret|sig|auth|cred)[^=&;#\s]*=)[^&;#\s]+", re.I
)
_SENTENCE_END = re.compile(r"[.!?…。！？][\"”»’')\]]*(?=\s|$)|[。！？]")

_SPOKEN_NUMBERS = {
    str(number): word
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()
    )
}
"""Speech models write some of these in digits."""


def repair_surrogates(text: str) -> str:
    """Join surrogate pairs and replace lone surrogates, which UTF-8 cannot encode."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def repair_surrogates_in(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Apply `repair_surrogates` to all strings of a JSON value."""
    if isinstance(value, str):
        return repair_surrogates(value)
    if isinstance(value, dict):
        return {repair_surrogates_in(key): repair_surrogates_in(item) for key, item in value.items()}
    if isinstance(value, list):
        return [repair_surrogates_in(item) for item in value]
    return value


def without_controls(text: str) -> str:
    """Replace control characters, except tabs and line breaks."""
    return _CONTROLS.sub("�", text)


def escape_controls(text: str) -> str:
    """Escape the control characters of a JSON text as JSON does, so that none is lost."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def shown_address(address: str) -> str:
    """Return an address as it may be printed and stored: without user and password, secrets of its query as `***`.

    What has no `://`, such as a path, stays as it is.
    """
    if "://" not in address:
        return address
    return _SECRET.sub(r"\1***", _USER_INFO.sub("", address))


def one_line(text: str) -> str:
    """Fold a message onto one line."""
    return " ".join(text.split())


def shortened(text: str, most: int) -> str:
    """Fold a text onto one line of at most `most` characters, cut between words, so never inside a number."""
    text = one_line(text)
    if len(text) <= most:
        return text
    return text[: most - 1].rpartition(" ")[0] + " …"


def is_ended(text: str) -> bool:
    """Tell whether a text ends with a sentence."""
    text = text.rstrip()
    found = list(_SENTENCE_END.finditer(text))
    return bool(found) and found[-1].end() == len(text)


def to_last_sentence(text: str) -> str:
    """Return a text that was cut off up to its last sentence, or without one, up to its last word, never longer."""
    found = list(_SENTENCE_END.finditer(text))
    if found:
        return text[: found[-1].end()]
    return f"{text[:-2].rpartition(' ')[0] or text[:-2]} …"


def counted(count: int, what: str) -> str:
    """Return a count with its noun, such as `1 frame` or `2,500 frames`."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def valid_unicode(text: str) -> str:
    """Replace bytes that are not UTF-8, which Python keeps in arguments and on stdin as lone surrogates."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def short_number(value: float) -> str:
    """Write a number to three digits or more, such as `0.0427`, `24.4` or `1000`, and never `1e+03`."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def words_of(text: str) -> list[str]:
    """Return the words of a text as spoken words are compared: without case and punctuation, small numbers in words."""
    words = re.findall(r"[\w']+", text.casefold().replace("\u2019", "'"))
    return [_SPOKEN_NUMBERS.get(word, word) for word in words]


def holds_words(text: str, phrase: str) -> bool:
    """Tell whether a text has the words of a phrase, one after the other."""
    words = " ".join(words_of(phrase))
    return bool(words) and f" {words} " in f" {' '.join(words_of(text))} "
