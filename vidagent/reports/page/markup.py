"""HTML built from typed pieces: a plain string is always escaped."""

from __future__ import annotations

import html
import re
from typing import Self

_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""What may not stand in a document: control characters, direction overrides, lone surrogates."""
_EMPTY = frozenset({"br", "col", "hr", "img", "meta"})

Value = str | int | float | bool | None


class Html(str):
    """Text that is HTML already; any other string is plain text, and is escaped to become HTML."""

    __slots__ = ()

    @classmethod
    def of(cls, text: str) -> Self:
        """Return HTML as it is, and any other string escaped."""
        return text if isinstance(text, cls) else cls(html.escape(clean(text), quote=True))


def clean(text: str) -> str:
    """Replace what cannot be shown, or would reorder the text around it."""
    return _UNPRINTABLE.sub("�", text.replace("\r\n", "\n").replace("\r", "\n"))


def folded(text: str) -> str:
    """Return the text on one line."""
    return clean(" ".join(text.split()))


def el(tag: str, *children: str | None, **attributes: Value) -> Html:
    """Return an element.

    Args:
        tag: Its name; always a constant.
        *children: Text or HTML; None is skipped.
        **attributes: By name, `class_` for `class` and `_` for `-`. None and False are skipped, True stands alone.
    """
    head = tag + "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _EMPTY:
        return Html(f"<{head}>")
    return Html(f"<{head}>{join(children)}</{tag}>")


def join(parts: tuple[str | None, ...] | list[Html], between: str = "") -> Html:
    """Join pieces; escape the plain text among them."""
    return Html(Html.of(between).join(Html.of(part) for part in parts if part is not None))


def quoted(text: str) -> Html:
    """Return words of a model, a video or a user, whose writing direction is isolated from the page's."""
    return el("bdi", text)


def _attribute(name: str, value: Value) -> str:
    name = name.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f' {name}="{html.escape(clean(text), quote=True)}"'
