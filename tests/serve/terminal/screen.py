"""A terminal's screen: what a person sees of the bytes a command writes. It refuses what would spoil one."""

from __future__ import annotations

import re
import unicodedata

_PIECE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])|[^\x1b]")
_CUT = re.compile(r"\x1b(\[[0-9;?]*)?\Z")


class Screen:
    """Lines as they stand after colours, cursor movements, erased lines and wrapping; those scrolled away, too.

    Args:
        columns: Its width.
        rows: Its height: a cursor cannot go back further.
    """

    def __init__(self, columns: int, rows: int = 24) -> None:
        self.columns, self.rows = columns, rows
        self.cursor_shown = True
        self._cells: list[list[str]] = [[]]
        self._row = self._column = 0
        self._rest = ""

    def feed(self, text: str) -> None:
        """Take what is written next; it may end anywhere."""
        text = self._rest + text
        cut = _CUT.search(text)
        self._rest = text[cut.start() :] if cut else ""
        place = 0
        for piece in _PIECE.finditer(text, 0, len(text) - len(self._rest)):
            assert piece.start() == place, f"an escape sequence: {text[place : place + 9]!r}"
            place = piece.end()
            if piece[3]:
                self._control(piece[1], piece[2], piece[3])
            else:
                self._put(piece[0])

    @property
    def lines(self) -> list[str]:
        """The lines, without spaces at their ends, up to the last that is not empty."""
        lines = ["".join(cells).rstrip() for cells in self._cells]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def _control(self, private: str, number: str, letter: str) -> None:
        if letter == "A":
            top = max(0, len(self._cells) - self.rows)
            assert self._row - int(number) >= top, "the cursor is moved above the screen"
            self._row -= int(number)
        elif letter == "K":
            assert number == "2"
            self._cells[self._row] = []
        elif private and number == "25":
            self.cursor_shown = letter == "h"
        else:
            assert (private, letter) == ("", "m"), f"a sequence that ends in {letter!r}"

    def _put(self, char: str) -> None:
        if char == "\r":
            self._column = 0
        elif char == "\n":
            self._go_down()
        else:
            assert unicodedata.category(char) != "Cc", f"a control character: {char!r}"
            self._write(char)

    def _write(self, char: str) -> None:
        wide = unicodedata.east_asian_width(char) in "WF"
        width = 0 if unicodedata.category(char) in {"Mn", "Me", "Cf"} else 1 + wide
        if self._column + width > self.columns:
            self._column = 0
            self._go_down()
        cells = self._cells[self._row]
        cells += [" "] * (self._column + width - len(cells))
        if width:
            cells[self._column : self._column + width] = [char, ""][:width]
        self._column += width

    def _go_down(self) -> None:
        self._row += 1
        if self._row == len(self._cells):
            self._cells.append([])
