"""Lines typed into a chat, or piped into it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from vidagent.serve.terminal.console import stderr
from vidagent.text import valid_unicode

_PROMPT = "> "
_HINT = "Ctrl-D or /quit ends the chat"


class InputReader:
    """Reads lines from stdin; at a terminal they can be edited, and earlier ones recalled."""

    def __init__(self, before: Sequence[str] = ()) -> None:
        """Start with the lines typed before, the oldest first."""
        self.typed = sys.stdin.isatty()
        self._edited = self.typed and sys.stdout.isatty() and _editing(before)

    def __iter__(self) -> Iterator[str]:
        """Yield lines up to the end of the input, stripped of spaces; empty ones are skipped."""
        while (line := self._next()) is not None:
            if text := valid_unicode(line).strip():
                yield text

    def _next(self) -> str | None:
        """Return the next line, or None at the end; Ctrl-C at the prompt drops the line."""
        if not self.typed:
            return sys.stdin.buffer.readline().decode("utf-8", "replace") or None
        try:
            return self._typed()
        except KeyboardInterrupt:
            stderr().say("")
            stderr().say(_HINT, style="dim")
            return ""
        except EOFError:
            stderr().say("")
            return None

    def _typed(self) -> str:
        if self._edited:
            return input(_PROMPT)
        stderr().print(_PROMPT, end="")
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line


def _editing(before: Sequence[str]) -> bool:
    """Let lines be edited where Python can do so."""
    try:
        import readline  # missing in some builds
    except ImportError:
        return False
    readline.clear_history()
    for line in before:
        readline.add_history(line)
    return True
