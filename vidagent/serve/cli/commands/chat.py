"""`vidagent chat`: questions about one video that follow each other, typed at a terminal or piped in."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidagent.errors import UsageError, VidagentError
from vidagent.serve.cli import flags, lazy
from vidagent.serve.cli.commands.ask import BUDGET_ENDED
from vidagent.serve.cli.commands.stored import runs
from vidagent.serve.cli.flags import Limits, budgeted
from vidagent.serve.terminal import console, printing
from vidagent.serve.terminal.input_reader import InputReader
from vidagent.serve.terminal.progress import Progress
from vidagent.text import counted, one_line, shown_address
from vidagent.video.clock import format_time

if TYPE_CHECKING:
    from vidagent.api import RequestArguments
    from vidagent.graphs.events import Event
    from vidagent.runs.session_store import Asked, Session
    from vidagent.types import Answer, VideoInfo

_COMMANDS = {
    "/help": "list the commands",
    "/why": "show what the last answer stands on: each step, what it looked at and what it cost",
    "/frames": "list the frames of the last answer's evidence",
    "/report FILE": "write a page (.html) about the last answer",
    "/new": "begin a new session, which knows nothing of this one",
    "/quit": "end the chat, as Ctrl-D does",
}
Continue = Annotated[
    bool, typer.Option("--continue", help="Go on with the session about this video that was used last.")
]


@budgeted
def chat(
    video: flags.Video,
    session: flags.Session = None,
    go_on: Continue = False,
    as_json: flags.AsJson = False,
    model: flags.Model = None,
    base_url: flags.BaseUrl = None,
    engine: flags.Engine = None,
    fps: flags.Fps = None,
    num_frames: flags.NumFrames = None,
    decoder: flags.Decoder = None,
    video_stream: flags.VideoStream = None,
    fetch: flags.Download = False,
    max_download_mb: flags.MaxDownloadMb = flags.DEFAULT_DOWNLOAD_MB,
    *,
    limits: Limits,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Ask questions about a video that follow each other; each has the budget to itself.

    Questions are typed, or piped in one a line. Ctrl-C stops a question and not the chat.
    """
    console.loudness(quiet=quiet, verbose=verbose)
    if go_on and session is not None:
        raise UsageError(f"give either --continue or --session, got both (--session {session})")
    if video == lazy.download.STDIN:
        raise UsageError("chat reads its questions from stdin, so the VIDEO is a file or an address, not `-`")
    request: RequestArguments = {
        "model": model,
        "base_url": base_url,
        "engine": engine,
        "budget": lazy.config.load(**limits).budget(),
        "fps": fps,
        "num_frames": num_frames,
        "decoder": decoder,
        "video_stream": video_stream,
    }

    def tell(line: str) -> None:
        if not quiet:
            console.stderr().say(line)

    with lazy.download.local(video, allowed=fetch, max_mb=max_download_mb, tell=tell) as path:
        info = lazy.api.probe_video(path).info
        earlier = _earlier_session(info, session, go_on=go_on)
        name = session or (earlier.name if earlier else _new_name())
        chat = _Chat(
            path, shown_address(video), name, request, tell, as_json=as_json, quiet=quiet, verbose=verbose
        )
        raise typer.Exit(chat.run(info, () if earlier is None else earlier.turns))


def _earlier_session(info: VideoInfo, name: str | None, *, go_on: bool) -> Session | None:
    """Return the session to continue; None for a new one.

    Raises:
        UsageError: If it is about another video, or there is none to continue.
    """
    if name is None and not go_on:
        return None
    about = [
        one
        for one in lazy.api.list_sessions()
        if (one.video_sha256 == info.sha256 if go_on else one.name == name)
    ]
    if go_on and not about:
        raise UsageError(f"there is no session about {info.path} to go on with")
    if about:
        about[0].check_video(info)
    return about[0] if about else None


def _new_name() -> str:
    return f"chat-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


@dataclass
class _Chat:
    """A chat under way.

    Args:
        path: The video's file.
        shown: The video as the user named it.
        name: The session.
        request: Arguments of `analyze_video` that all questions share.
        tell: Prints a line for people.
        as_json: Whether answers are printed as JSON.
        quiet: Whether progress is left out.
        verbose: Whether every event stays on the screen.
        last: The last answer's run.
        code: Exit code of the first question that went wrong.
    """

    path: str
    shown: str
    name: str
    request: RequestArguments
    tell: Callable[[str], None]
    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    last: str | None = None
    code: int = 0
    _answered: set[str] = field(default_factory=set)
    _model: str = ""

    def run(self, info: VideoInfo, turns: Sequence[Asked]) -> int:
        """Answer line by line; return the exit code: 0 for a typed chat, whatever went wrong in it.

        Raises:
            KeyboardInterrupt: If questions that were piped in are interrupted.
        """
        lines = InputReader([turn.question for turn in turns])
        self._greet(info, turns)
        for line in lines:
            if line in {"/quit", "/exit"}:
                break
            if not lines.typed:
                self.tell(f"question  {line}")
            try:
                self._handle(line)
            except VidagentError as error:
                self._report_error(error)
            except KeyboardInterrupt:
                if not lines.typed:
                    raise
                console.complain("stopped; ask again, or something else")
        if self._answered:
            self.tell(f"session   {self.name}; go on with: vidagent chat {self.shown} --session {self.name}")
        return 0 if lines.typed else self.code

    def _greet(self, info: VideoInfo, turns: Sequence[Asked]) -> None:
        self.tell(f"video     {self.shown}, {format_time(info.duration_s)}, {info.width}x{info.height}")
        known = f"{counted(len(turns), 'question')} so far" if turns else "new"
        self.tell(f"session   {self.name}, {known}; /help lists the commands")
        if turns:
            self.last = turns[-1].run_id
            self.tell(f"last      {turns[-1].question}")
            self.tell(f"          {one_line(turns[-1].answer['answer'])}")

    def _handle(self, line: str) -> None:
        """Run a command, or answer a question."""
        command, _, rest = line.partition(" ")
        if not command.startswith("/"):
            self._ask(line)
        elif command == "/help":
            self._help()
        elif command == "/new" and not rest:
            self.name, self.last = _new_name(), None
            self.tell(f"session   {self.name}, new")
        elif command == "/why" and not rest:
            self._why()
        elif command == "/frames" and not rest:
            self._frames()
        elif command == "/report":
            self._write_report(rest.strip())
        else:
            raise UsageError(f"there is no command {line!r}; there are {', '.join(_COMMANDS)}")

    def _ask(self, question: str) -> None:
        answer = self._analyze(question, **self.request, session=self.name)
        self.last = answer.run_id
        self._answered.add(self.name)
        answer = dataclasses.replace(answer, video=dataclasses.replace(answer.video, path=self.shown))
        printing.show_answer(answer, as_json=self.as_json, kept_frames=self.verbose)
        if not self.as_json:
            console.stdout().say("")
        if answer.status == "partial":
            self.code = self.code or BUDGET_ENDED

    def _analyze(self, question: str, **asking: Any) -> Answer:  # noqa: ANN401 - keywords of `analyze_video`
        with Progress(console.stderr(), quiet=self.quiet, verbose=self.verbose) as progress:

            def show(event: Event) -> None:
                if event.kind != "model" or event.text != self._model:  # shown once, not with every question
                    progress(event)
                else:
                    progress.findings.add(event)
                self._model = event.text if event.kind == "model" else self._model
                meant = (event.data.get("route") or {}).get("question")
                if meant and meant != question and self.last is not None:
                    progress.tell(f"meaning   {one_line(meant)}", style="dim")

            answer = lazy.api.analyze_video(
                self.path, question, **asking, on_event=show, stream=progress.live
            )
            if "resume" not in asking:
                progress.tell(f"cost      {printing.cost(answer)}")
        return answer

    def _report_error(self, error: VidagentError) -> None:
        self.code = self.code or error.exit_code
        console.complain(str(error))
        if self.as_json:
            public = next(kind for kind in type(error).__mro__ if kind.__module__ == VidagentError.__module__)
            printing.show_json({"error": {"type": public.__name__, "message": str(error)}})

    def _help(self) -> None:
        for command, about in _COMMANDS.items():
            console.stderr().say(f"{command:<13} {about}")

    def _why(self) -> None:
        run = runs.details(lazy.api.find_run(self._last()))
        for line in run.lines():
            console.stderr().say(line)

    def _frames(self) -> None:
        answer = lazy.api.find_run(self._last()).answer or {"evidence": []}
        frames = dict.fromkeys(item["frame"] for item in answer["evidence"] if item["frame"])
        for frame in frames or ("the last answer has no frame",):
            console.stderr().say(frame)

    def _write_report(self, file: str) -> None:
        if not file:
            raise UsageError("/report needs the name of a file that ends in .html")
        run_id = self._last()
        recorded = lazy.api.find_run(run_id).metadata
        again = {
            **self.request,
            "budget": None,
            "options": recorded["options"],
        }  # as it was asked, and paid for
        self._analyze(recorded["question"], **again, resume=run_id, report=file)

    def _last(self) -> str:
        if self.last is None:
            raise UsageError("there is no answer yet to be told more about; ask something first")
        return self.last
