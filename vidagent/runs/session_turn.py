"""A question's turn in a session: what the run starts with, and its answer saved as the session's next turn."""

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
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import State
from vidagent.images.store import FrameStore
from vidagent.runs.carry_over import (
    SessionSeed,
    carry_over,
    copy_frames,
    earlier_turns,
    seeded_state,
    trim_to,
)
from vidagent.runs.folder import RunFolder, run_folder
from vidagent.runs.request import Request
from vidagent.runs.session_store import Asked, Session, Sessions
from vidagent.types import Answer, VideoInfo

_PROMPT_SHARE = 8
"""The ledger lines of looks that are taken over may fill an eighth of a model's context."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SessionTurn:
    """A question's place in a session, locked while it is answered; a new session is None."""

    name: str
    cache: Path
    session: Session | None

    def check_video(self, info: VideoInfo) -> None:
        """Refuse another video than the session's.

        Raises:
            UsageError: If its bytes differ.
        """
        if self.session is not None:
            self.session.check_video(info)

    def start(self, folder: RunFolder, context_tokens: int) -> tuple[State, str | None]:
        """Return what a run starts with, and save it in its folder, so that no older run is needed again.

        A resumed run starts as it did the first time. The result is the part of the first state that comes from earlier
        questions, and a note for people if some of that is lost.
        """
        saved = folder.read("seed")
        if saved is not None:
            return seeded_state(saved), None
        seed, note = self._seed(folder, context_tokens // _PROMPT_SHARE)
        try:
            folder.write("seed", {**seed})
        except OSError as error:
            _log.warning("run %s cannot be replayed or resumed: %s", folder.run_id, error)
        return seeded_state(seed), note

    def save(
        self, folder: RunFolder, request: Request, final: State, answer: Answer, *, answered_before: bool
    ) -> str | None:
        """Save an answer as the session's next turn, or replace the answer of the turn that it resumed.

        Args:
            folder: The run's folder.
            request: What was asked.
            final: The run's last state.
            answer: Its answer.
            answered_before: Whether the run had an answer before it was resumed.

        Returns:
            Why it is not saved, for people; None if it is.
        """
        turns = () if self.session is None else self.session.turns
        follows = (folder.read("seed") or {}).get("after") == (turns[-1].run_id if turns else None)
        if all(turn.run_id != folder.run_id for turn in turns) and (answered_before or not follows):
            return f"session {self.name!r} has moved on or was deleted: it stays as it is"
        question = request.question
        asked = Asked(
            folder.run_id,
            time.time(),
            question.text,
            Progress(final).question,
            question.options,
            answer.to_dict(),
        )
        try:
            folder.write("carried", {**carry_over(final, answer)})
            Sessions(self.cache).enter(self.name, answer.video, asked)
        except (OSError, sqlite3.Error) as error:
            return f"session {self.name!r} does not keep this answer: {error}"
        return None

    def _seed(self, folder: RunFolder, tokens: int) -> tuple[SessionSeed, str | None]:
        turns = () if self.session is None else self.session.turns
        fresh = SessionSeed(
            session=self.name, after=None, earlier=earlier_turns(turns), history=[], ledger=[], asked=[]
        )
        if not turns:
            return fresh, None
        fresh["after"] = turns[-1].run_id
        last = run_folder(self.cache, turns[-1].run_id)
        left: Any = last.read("carried")
        if left is not None:
            left = trim_to(tokens, left)
            if copy_frames(left["ledger"], FrameStore(last.frames), FrameStore(folder.frames)):
                return SessionSeed(**{**fresh, **left}), None
        return fresh, "the looks of earlier questions are no longer available; their answers are"


@contextmanager
def session_turn(
    cache: Path, name: str | None, resumed: RunFolder | None = None
) -> Iterator[SessionTurn | None]:
    """Lock the session of a question while it is answered; None if it has no session.

    Args:
        cache: Folder of the runs and the sessions.
        name: The session that the caller named.
        resumed: The run to resume, which stays in the session that it was asked in.

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
        yield SessionTurn(name, cache, sessions.find(name))


def replayed_start(folder: RunFolder, store: FrameStore) -> State:
    """Return what a recorded run started with, and copy its frames into another store.

    Raises:
        UsageError: If those frames are gone.
    """
    seed = folder.read("seed")
    if seed is not None and not copy_frames(seed["ledger"], FrameStore(folder.frames), store):
        raise UsageError(f"run {folder.run_id} cannot be replayed: frames that it started with are gone")
    return seeded_state(seed)
