"""Sessions: listed, found again, and deleted."""

from __future__ import annotations

from vidagent import config
from vidagent.api.assemble import cache_of
from vidagent.runs.session_store import Session, Sessions


def list_sessions() -> list[Session]:
    """Return the sessions that are kept, the one used last first.

    Raises:
        UsageError: If they cannot be read.
    """
    return _kept().all()


def find_session(name: str) -> Session:
    """Return a session with its questions and answers.

    Raises:
        UsageError: If there is none of this name, or they cannot be read.
    """
    return _kept().get(name)


def delete_session(name: str) -> None:
    """Forget a session.

    Raises:
        UsageError: If there is none of this name, or a question is being answered in it.
    """
    _kept().delete(name)


def _kept() -> Sessions:
    return Sessions(cache_of(config.load()))
