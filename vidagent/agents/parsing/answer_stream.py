"""The field `answer` of a JSON reply, read while the reply is still being written."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
_Reading = Generator[None, str, T]
"""A reader that is sent one character after another."""

_FIELD = "answer"
_THOUGHTS = ("<think>", "<thinking>")
_THOUGHT_ENDS = ("</think>", "</thinking>")
_FENCE = "```"
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_HEX = frozenset("0123456789abcdefABCDEF")
_BROKEN = "\N{REPLACEMENT CHARACTER}"
_KEY_CHARS = 32


class AnswerReader:
    r"""Gives the text of the first field `answer` as it grows, however the reply is cut into pieces.

    Forgives what `parse_reply` forgives, as far as that can be told before the end: a thought or a code fence in
    front, fields in any order, line breaks inside strings, Python's quotes. A reply that does not begin as JSON is
    the answer itself, up to where JSON begins in it. Escapes are decoded once they are whole, also the two halves of
    a character such as `\ud83d\ude00`.
    """

    def __init__(self) -> None:
        """Start before the first character."""
        self._told: list[str] = []
        self._reply = self._read_reply()
        next(self._reply)

    def feed(self, words: str) -> str:
        """Return what the next words of the reply add to the answer: often nothing."""
        for char in words:
            self._reply.send(char)
        new = "".join(self._told)
        self._told.clear()
        return new

    def _read_reply(self) -> _Reading[None]:
        char = yield from _dark()
        while char == "<":
            begun = yield from _mark(char, _THOUGHTS)
            if begun not in _THOUGHTS:
                break
            yield from _past(_THOUGHT_ENDS)
            char = yield from _dark()
        quote = ""
        if char not in "{[<":
            quote = yield from self._read_prose(char)
        while char != "{" and not quote:
            char = yield
        yield from self._read_fields(quote)
        while True:
            yield

    def _read_prose(self, char: str) -> _Reading[str]:
        """Tell plain words up to where JSON may begin: before a fence, or in a brace, at its first quote, returned."""
        gap = ""
        while True:
            run = yield from _mark(char, (_FENCE,))
            if run == _FENCE:
                return ""
            word, char = (run[:-1], run[-1]) if len(run) > 1 else (run, "")
            if word == "{":
                begun = yield from _to_dark()
                if begun[-1] in "\"'":
                    return begun[-1]
                word, char = word + begun[:-1], begun[-1]
            if word.isspace():
                gap += word
            else:
                self._told.append(gap + word)
                gap = ""
            char = char or (yield)

    def _read_fields(self, char: str) -> _Reading[None]:
        """Skip fields until the answer was told; a string is a key if a colon follows."""
        last = ""
        while True:
            char = char or (yield)
            if char in "\"'":
                last = yield from self._read_string(char)
            elif char == ":" and last == _FIELD:
                char = yield from _dark()
                if char in "\"'":
                    yield from self._read_string(char, told=True)
                    return
            elif not char.isspace():
                last = ""
            char = ""

    def _read_string(self, quote: str, *, told: bool = False) -> _Reading[str]:
        """Read to the closing quote; tell the text, or return its beginning."""
        read, half = "", ""
        while (char := (yield)) != quote:
            if char == "\\":
                char = yield from _escape()
            text, half = _joined(half, char)
            if told:
                self._told.append(text)
            elif len(read) < _KEY_CHARS:
                read += text
        if told and half:
            self._told.append(_BROKEN)
        return read


def _dark() -> _Reading[str]:
    """Return the next character that is not white."""
    return (yield from _to_dark())[-1]


def _to_dark() -> _Reading[str]:
    """Return white characters and the first that is not."""
    read = yield
    while read[-1].isspace():
        read += yield
    return read


def _mark(char: str, marks: tuple[str, ...]) -> _Reading[str]:
    """Read on while it may become one of the marks; return it, or what was read up to where it cannot."""
    while char not in marks and any(mark.startswith(char) for mark in marks):
        char += yield
    return char


def _past(marks: tuple[str, ...]) -> _Reading[None]:
    longest, read = max(map(len, marks)), ""
    while not read.endswith(marks):
        read = (read + (yield))[-longest:]


def _escape() -> _Reading[str]:
    """Return the character that an escape stands for."""
    char = yield
    if char != "u":
        return _ESCAPES.get(char, char)
    digits = ""
    while len(digits) < 4:
        digits += yield
    return chr(int(digits, 16)) if _HEX.issuperset(digits) else _BROKEN


def _joined(half: str, char: str) -> tuple[str, str]:
    """Join the halves of a character; return what is whole, and a first half that waits for its second."""
    if half and "\udc00" <= char <= "\udfff":
        return (half + char).encode("utf-16", "surrogatepass").decode("utf-16"), ""
    lost = _BROKEN if half else ""
    if "\ud800" <= char <= "\udbff":
        return lost, char
    return lost + (_BROKEN if "\udc00" <= char <= "\udfff" else char), ""
