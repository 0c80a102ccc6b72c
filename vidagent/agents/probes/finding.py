"""What a probe found out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vidagent.agents.server.connection import ServerError

Value = Literal["yes", "no", "unknown"]

_PARAMETER = re.compile(r"( \(parameter=[\w.]+\)| \[[\w.]+\])+\Z")
"""The parameter and the code that are appended to a server's words; the words name them already."""
_BUSY = frozenset({408, 409, 425, 429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one probe ended.

    Args:
        value: Whether the server can do it.
        detail: What shows it, or the server's own words.
        facts: The same for programs, such as `{"accepted": 48}`.
    """

    value: Value
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table.

    Args:
        group: What it belongs to, such as `tools`.
        name: What was tried, such as `required`.
        outcome: How that ended.
    """

    group: str
    name: str
    outcome: Outcome

    @property
    def value(self) -> Value:
        """Whether the server can do it."""
        return self.outcome.value

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        outcome = self.outcome
        return {
            "group": self.group,
            "name": self.name,
            "value": outcome.value,
            "detail": outcome.detail,
            "facts": dict(outcome.facts),
        }


def yes(detail: str = "", **facts: object) -> Outcome:
    """The server can."""
    return Outcome("yes", detail, facts)


def no(detail: str = "", **facts: object) -> Outcome:
    """The server cannot."""
    return Outcome("no", detail, facts)


def unknown(detail: str = "", **facts: object) -> Outcome:
    """It could not be determined."""
    return Outcome("unknown", detail, facts)


def refused(error: ServerError) -> Outcome:
    """Read an error: a refusal is a no in the server's words; a server that is busy or away is no refusal."""
    detail = _PARAMETER.sub("", error.detail)
    if error.status is None:
        return unknown(detail or str(error))
    if error.status in _BUSY:
        return unknown(f"the server was busy ({error.status}): {detail}", status=error.status)
    verb = "failed" if error.status >= 500 else "refused"
    return no(f"{verb} ({error.status}): {detail}", status=error.status)


def refusal(error: ServerError) -> Outcome:
    """Read a refusal where another way is tried next.

    Raises:
        ServerError: The same, if the server has not refused, but was busy or away.
    """
    outcome = refused(error)
    if outcome.value == "unknown":
        raise error
    return outcome
