"""Extract the field `answer` of a JSON reply while the reply is being generated."""

from __future__ import annotations

import re
from collections.abc import Callable

from vidagent.text import repair_surrogates

_FIELD = "answer"
_THOUGHTS = ("<think>", "<thinking>")
_THOUGHT_END = re.compile(r"</think(?:ing)?>")
_FENCE = "```"
_JSON = re.compile(rf"{_FENCE}|\{{\s*(?=[\"'])")
_TOKEN = re.compile(r"[\"':]|[^\"':\s]+")
_IN_STRING = {quote: re.compile(rf"[^{quote}\\]+|\\u.{{4}}|\\[^u]|{quote}", re.DOTALL) for quote in "\"'"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_HEX = frozenset("0123456789abcdefABCDEF")
_BROKEN = "\N{REPLACEMENT CHARACTER}"
_KEY_CHARS = 32


class AnswerReader:
    r"""Yields the text of the first field `answer` as it grows, however the reply is split into pieces.

    Accepts what `parse_reply` accepts, as far as can be known before the end: a leading thought or code fence, fields
    in any order, line breaks inside strings, Python's quotes. A reply that does not begin as JSON is itself the answer,
    up to where JSON begins in it. Escapes are decoded once they are complete, including surrogate pairs such as
    `\ud83d\ude00`.
    """

    def __init__(self) -> None:
        """Start before the first character."""
        self._unread = ""
        self._at = 0
        self._answer: list[str] = []
        self._read: Callable[[], bool] = self._read_start
        """Continues reading from `_at`; returns False if it needs more of the reply."""
        self._quote = self._string = self._half = ""
        self._is_answer = False

    def feed(self, words: str) -> str:
        """Return what the next piece of the reply adds to the answer, often nothing."""
        self._unread = self._unread[self._at :] + words
        self._at = 0
        while self._read():
            pass
        new = "".join(self._answer)
        self._answer.clear()
        return new

    def _read_start(self) -> bool:
        """Choose between a thought, JSON (possibly in a list or a tag), and prose."""
        self._unread, self._at = self._unread[self._at :].lstrip(), 0
        if any(mark.startswith(self._unread) and mark != self._unread for mark in _THOUGHTS):
            return False
        if self._unread.startswith(_THOUGHTS):
            self._read = self._read_thought
        else:
            self._read = self._read_to_object if self._unread[0] in "{[<" else self._read_prose
        return True

    def _read_thought(self) -> bool:
        end = _THOUGHT_END.search(self._unread, self._at)
        if end is None:
            self._at = max(self._at, len(self._unread) - len("</thinking>"))
            return False
        self._at, self._read = end.end(), self._read_start
        return True

    def _read_prose(self) -> bool:
        """Pass words on up to where JSON begins, or may begin: at a fence, or at a brace followed by a quote."""
        text = self._unread[self._at :]
        if start := _JSON.search(text):
            self._answer.append(text[: start.start()].rstrip())
            self._at += start.end()
            self._read = self._read_to_object if start[0] == _FENCE else self._read_fields
            return True
        certain = text.rstrip()
        if certain.endswith("{"):
            certain = certain[:-1].rstrip()
        elif certain == text:
            certain = text.rstrip("`").rstrip()
        self._answer.append(certain)
        self._at += len(certain)
        return False

    def _read_to_object(self) -> bool:
        brace = self._unread.find("{", self._at)
        self._at = len(self._unread) if brace < 0 else brace + 1
        self._read = self._read_to_object if brace < 0 else self._read_fields
        return brace >= 0

    def _read_fields(self) -> bool:
        """Skip fields until the answer; a string is a key if a colon follows."""
        token = _TOKEN.search(self._unread, self._at)
        if token is None:
            self._at = len(self._unread)
            return False
        self._at = token.end()
        if token[0] in _IN_STRING:
            self._quote, self._string, self._half = token[0], "", ""
            self._read = self._read_string
        else:
            self._is_answer = token[0] == ":" and self._string == _FIELD
            self._string = self._string if self._is_answer else ""
        return True

    def _read_string(self) -> bool:
        """Read up to the closing quote; the text belongs to the answer, or may be a key."""
        piece = _IN_STRING[self._quote].match(self._unread, self._at)
        if piece is None:
            return False
        self._at = piece.end()
        if piece[0] == self._quote:
            if self._is_answer:
                self._answer.append(_BROKEN if self._half else "")
            self._read = self._read_nothing if self._is_answer else self._read_fields
            return True
        text = self._half + (_unescaped(piece[0]) if piece[0][0] == "\\" else piece[0])
        self._half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        text = repair_surrogates(text[: len(text) - len(self._half)])
        if self._is_answer:
            self._answer.append(text)
        elif len(self._string) < _KEY_CHARS:
            self._string += text
        return True

    def _read_nothing(self) -> bool:
        self._at = len(self._unread)
        return False


def _unescaped(escape: str) -> str:
    r"""Return the character that an escape such as `\n` or `\u00e9` stands for."""
    if escape[1] != "u":
        return _ESCAPES.get(escape[1], escape[1])
    return chr(int(escape[2:], 16)) if _HEX.issuperset(escape[2:]) else _BROKEN
