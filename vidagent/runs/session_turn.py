"""A question's place in a session: what it starts from, and its answer entered as the session's next turn."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidagent.errors import UsageError
from vidagent.graphs.state import State, question_of
from vidagent.images.store import FrameStore
from vidagent.runs.carry_over import Seed, bring_pictures, carried, first_part, fitted, turns_of
from vidagent.runs.folder import Record, of_run
from vidagent.runs.request import Brief
from vidagent.runs.session_store import Asked, Session, Sessions
from vidagent.types import Answer, VideoInfo

_PROMPT_SHARE = 8
"""Looks taken over may fill an eighth of a model's context with their lines in the ledger."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Start:
    """What a run starts from.

    Args:
        state: The part of the first state that earlier questions make.
        note: What of them is lost, in words for people; None if nothing is.
    """

    state: State
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """The session of a question, held while it is answered.

    Args:
        name: Its name.
        cache: Folder of the runs and the sessions.
        session: What has been asked in it; None before its first answer.
    """

    name: str
    cache: Path
    session: Session | None

    def check(self, info: VideoInfo) -> None:
        """Refuse another video than the session's.

        Raises:
            UsageError: If its bytes differ.
        """
        if self.session is not None:
            self.session.check_video(info)

    def start(self, record: Record, context_tokens: int) -> Start:
        """Return what a run starts from, and keep that in its record, so that nothing older is ever needed again.

        Args:
            record: The run's record; one that is gone on with starts as it did.
            context_tokens: What the model's context holds.
        """
        kept = record.read("seed")
        if kept is not None:
            return Start(first_part(kept))
        seed, note = self._seed(record, context_tokens // _PROMPT_SHARE)
        try:
            record.write("seed", {**seed})
        except OSError as error:
            _log.warning("run %s cannot be replayed or gone on with: %s", record.run_id, error)
        return Start(first_part(seed), note)

    def enter(self, record: Record, brief: Brief, final: State, answer: Answer, *, told: bool) -> str | None:
        """Make an answer the session's next turn, or the new answer of the turn that it was.

        Args:
            record: The run.
            brief: What was asked.
            final: How the run ended.
            answer: Its answer.
            told: Whether the run had come to an answer before it was gone on with.

        Returns:
            Why it is not entered, in words for people; None if it is.
        """
        turns = () if self.session is None else self.session.turns
        follows = (record.read("seed") or {}).get("after") == (turns[-1].run_id if turns else None)
        if all(turn.run_id != record.run_id for turn in turns) and (told or not follows):
            return f"session {self.name!r} has gone on, or is gone: it stays as it is"
        asked = Asked(
            record.run_id,
            time.time(),
            brief.question.text,
            question_of(final),
            brief.question.options,
            answer.to_dict(),
        )
        try:
            record.write("carried", {**carried(final, answer)})
            Sessions(self.cache).enter(self.name, answer.video, asked)
        except (OSError, sqlite3.Error) as error:
            return f"session {self.name!r} does not keep this answer: {error}"
        return None

    def _seed(self, record: Record, room: int) -> tuple[Seed, str | None]:
        turns = () if self.session is None else self.session.turns
        fresh = Seed(session=self.name, after=None, earlier=turns_of(turns), history=[], ledger=[], asked=[])
        if not turns:
            return fresh, None
        fresh["after"] = turns[-1].run_id
        last = of_run(self.cache, turns[-1].run_id)
        left: Any = last.read("carried")
        if left is not None:
            left = fitted(left, room)
            if bring_pictures(left["ledger"], FrameStore(last.frames), FrameStore(record.frames)):
                return Seed(**{**fresh, **left}), None
        lost = "what was looked at for the earlier questions is no longer kept; their answers are"
        return fresh, lost


@contextmanager
def conversation(cache: Path, name: str | None, resumed: Record | None) -> Iterator[Conversation | None]:
    """Hold the session of a question while it is answered; None where it is asked in none.

    Args:
        cache: Folder of the runs and the sessions.
        name: The session named by whoever asks.
        resumed: The run to go on with, which stays in the session that it was asked in.

    Raises:
        UsageError: If the session cannot be used, or the run was asked in another one.
    """
    if resumed is not None:
        asked_in = (resumed.read("seed") or {}).get("session")
        if name is not None and name != asked_in:
            where = "in no session" if asked_in is None else f"in session {asked_in!r}"
            raise UsageError(f"run {resumed.run_id} was asked {where}, not in {name!r}")
        name = asked_in
    if name is None:
        yield None
        return
    sessions = Sessions(cache)
    with sessions.held(name):
        yield Conversation(name, cache, sessions.find(name))


def replayed_start(record: Record, store: FrameStore) -> State:
    """Return the part of a recorded run's first state that earlier questions made, its pictures in another store.

    Raises:
        UsageError: If they are no longer there.
    """
    seed = record.read("seed")
    if seed is not None and not bring_pictures(seed["ledger"], FrameStore(record.frames), store):
        raise UsageError(f"run {record.run_id} cannot be replayed: pictures that it started from are gone")
    return first_part(seed)
