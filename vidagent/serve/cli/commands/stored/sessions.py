"""`vidagent sessions`: sessions listed, shown and deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidagent.serve.cli import flags, lazy
from vidagent.serve.terminal import console, printing
from vidagent.text import counted, one_line
from vidagent.video.clock import format_time

if TYPE_CHECKING:
    from vidagent.runs.session_store import Asked, Session

_QUESTION_CHARS = 48

app = typer.Typer(
    name="sessions",
    help="List, show and delete sessions of `chat` and `ask --session`; they are kept until they are deleted.",
    no_args_is_help=True,
)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The session, as `sessions list` shows it.", show_default=False)
]


@app.command("list")
def list_sessions(
    as_json: flags.AsJson = False, quiet: flags.Quiet = False, verbose: flags.Verbose = False
) -> None:
    """List the sessions, the one used last first."""
    console.loudness(quiet=quiet, verbose=verbose)
    printing.show_report(_SessionList(lazy.api.list_sessions()), as_json=as_json)


@app.command()
def show(
    name: Name, as_json: flags.AsJson = False, quiet: flags.Quiet = False, verbose: flags.Verbose = False
) -> None:
    """Show a session: its questions, its answers, and the runs that gave them."""
    console.loudness(quiet=quiet, verbose=verbose)
    printing.show_report(_SessionDetails(lazy.api.find_session(name)), as_json=as_json)


@app.command()
def delete(name: Name, quiet: flags.Quiet = False, verbose: flags.Verbose = False) -> None:
    """Delete a session; its runs stay for as long as runs are kept."""
    console.loudness(quiet=quiet, verbose=verbose)
    lazy.api.delete_session(name)
    if not quiet:
        console.stderr().say(f"deleted   {name}")


@dataclass(frozen=True, slots=True)
class _SessionList:
    """The stored sessions."""

    sessions: Sequence[Session]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {"sessions": [_summary(one) for one in self.sessions]}

    def lines(self) -> list[str]:
        """Say it to people, one session a line."""
        width = max((len(one.name) for one in self.sessions), default=0)
        return [_line(one, width) for one in self.sessions] or ["no sessions"]


@dataclass(frozen=True, slots=True)
class _SessionDetails:
    """One session in full."""

    session: Session

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            **_summary(self.session),
            "turns": [
                {
                    "question": turn.question,
                    "meant": turn.meant,
                    "options": None if turn.options is None else list(turn.options),
                    "asked": _when(turn.asked_s).isoformat(timespec="seconds"),
                    "answer": turn.answer,
                }
                for turn in self.session.turns
            ],
        }

    def lines(self) -> list[str]:
        """Say it to people: each question with its answer."""
        head = f"{self.session.name}: {self.session.video_path}"
        return [head, *(line for turn in self.session.turns for line in _turn(turn))]


def _turn(turn: Asked) -> Iterator[str]:
    yield ""
    yield f"> {one_line(turn.question)}"
    if turn.meant != turn.question:
        yield f"  ({one_line(turn.meant)})"
    yield f"  {one_line(turn.answer['answer'])}"
    spans = [
        f"{format_time(span['start_s'])} to {format_time(span['end_s'])}" for span in turn.answer["spans"]
    ]
    where = f"{', '.join(spans[:3])}{' and more' if len(spans) > 3 else ''}  " if spans else ""
    yield f"  {where}{_when(turn.asked_s):%a %d %b %H:%M}  {turn.answer['model']}  run {turn.run_id}"


def _line(one: Session, width: int) -> str:
    asked = counted(len(one.turns), "question")
    last = one_line(one.turns[-1].question)
    cut = last if len(last) <= _QUESTION_CHARS else f"{last[: _QUESTION_CHARS - 1]}…"
    return f"{one.name:<{width}}  {_when(one.used_s):%a %d %b %H:%M}  {asked:<12}  {Path(one.video_path).name}  {cut}"


def _summary(one: Session) -> dict[str, Any]:
    return {
        "name": one.name,
        "video": {"path": one.video_path, "sha256": one.video_sha256},
        "began": _when(one.began_s).isoformat(timespec="seconds"),
        "used": _when(one.used_s).isoformat(timespec="seconds"),
        "questions": len(one.turns),
    }


def _when(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s).astimezone()
