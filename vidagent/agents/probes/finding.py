"""Results of probes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vidagent.agents.server.connection import ServerError

Value = Literal["yes", "no", "unknown"]

_PARAMETER = re.compile(r"( \(parameter=[\w.]+\)| \[[\w.]+\])+\Z")
"""The parameter and the code appended to a server's message, which already names them."""
_BUSY = frozenset({408, 409, 425, 429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one probe.

    Args:
        value: Whether the server can do it.
        detail: The evidence, or the server's message.
        facts: The same as data, such as `{"accepted": 48}`.
    """

    value: Value
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table.

    Args:
        group: Its group, such as `tools`.
        name: The capability, such as `required`.
        outcome: The result.
    """

    group: str
    name: str
    outcome: Outcome

    @property
    def value(self) -> Value:
        """Whether the server can do it."""
        return self.outcome.value

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        outcome = self.outcome
        return {
            "group": self.group,
            "name": self.name,
            "value": outcome.value,
            "detail": outcome.detail,
            "facts": dict(outcome.facts),
        }


def yes(detail: str = "", **facts: object) -> Outcome:
    """Return an outcome: the server can do it."""
    return Outcome("yes", detail, facts)


def no(detail: str = "", **facts: object) -> Outcome:
    """Return an outcome: the server cannot do it."""
    return Outcome("no", detail, facts)


def unknown(detail: str = "", **facts: object) -> Outcome:
    """Return an outcome: it could not be determined."""
    return Outcome("unknown", detail, facts)


def refused(error: ServerError) -> Outcome:
    """Classify an error: a refusal is a no in the server's words; a busy or unreachable server is not a refusal."""
    detail = _PARAMETER.sub("", error.detail)
    if error.status is None:
        return unknown(detail or str(error))
    if error.status in _BUSY:
        return unknown(f"the server was busy ({error.status}): {detail}", status=error.status)
    verb = "failed" if error.status >= 500 else "refused"
    return no(f"{verb} ({error.status}): {detail}", status=error.status)


def refusal(error: ServerError) -> Outcome:
    """Classify a refusal where another way is tried next.

    Raises:
        ServerError: The same error, if the server was busy or unreachable rather than refusing.
    """
    outcome = refused(error)
    if outcome.value == "unknown":
        raise error
    return outcome
