"""`vidagent runs`: earlier runs listed, shown, replayed, resumed and exported."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from vidagent.agents.prompting.video_findings import names_of
from vidagent.errors import ModelError, UsageError
from vidagent.serve.cli import flags, lazy
from vidagent.serve.cli.commands import ask as asking
from vidagent.serve.cli.commands.stored.runs_export import export
from vidagent.serve.cli.commands.summary import summary
from vidagent.serve.cli.flags import Limits, budgeted
from vidagent.serve.terminal import console, printing
from vidagent.serve.terminal.progress import Progress
from vidagent.text import counted, one_line

if TYPE_CHECKING:
    from vidagent.config import EngineName
    from vidagent.runs.recorded_run import RecordedRun

_LAST = "last"
_QUESTION_CHARS = 48
_NAME_CHARS = 24
_ENDLESS_CHARS = 400

app = typer.Typer(
    name="runs",
    help="List, show, replay, resume and export earlier runs; they are kept for a week.",
    no_args_is_help=True,
)
app.command()(export)

Run = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="The run's id, as `runs list` shows it.", show_default=False),
]
Last = Annotated[bool, typer.Option("--last", help="The newest run, in place of RUN.")]
OtherVideo = Annotated[
    str | None,
    typer.Option("--video", metavar="PATH", help="The run's video, if it no longer lies where it was."),
]
OtherDecoder = Annotated[
    flags.DecoderName | None,
    typer.Option("--decoder", help="Library that decodes the video, in place of the run's."),
]


@app.command("list")
def list_runs(
    as_json: flags.AsJson = False, quiet: flags.Quiet = False, verbose: flags.Verbose = False
) -> None:
    """List the runs of the last week, the newest first."""
    console.loudness(quiet=quiet, verbose=verbose)
    runs = [entry(one) for past in lazy.api.list_runs() for one in (past, *past.video_runs)]
    printing.show_report(RunList(runs), as_json=as_json)


@app.command()
def show(
    run: Run = None,
    last: Last = False,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Show a run: its answer, then each step with what it looked at and what it cost."""
    run_id = _run_id(run, last=last)
    console.loudness(quiet=quiet, verbose=verbose)
    printing.show_report(details(lazy.api.find_run(run_id)), as_json=as_json)


@app.command()
def replay(
    run: Run = None,
    last: Last = False,
    video: OtherVideo = None,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Run a question again with the recorded replies of the model, without any network.

    Prints the same answer byte for byte, seconds and frames decoded as recorded; exit code 4 if it differs.
    """
    run_id = _run_id(run, last=last)
    console.loudness(quiet=quiet, verbose=verbose)
    with Progress(console.stderr(), quiet=quiet, verbose=verbose, doing="replaying the run") as progress:
        answer, differ = lazy.api.replay_run(run_id, video=video)
        if not differ:
            progress.tell("replayed  the answer is the recorded one")
    options = lazy.api.find_run(answer.run_id).metadata["options"]
    printing.show_answer(answer, options, as_json=as_json, kept_frames=verbose)
    if differ:
        raise ModelError(
            f"the replay's answer is not the recorded one: {', '.join(differ)} differ; "
            "the code, the prompts or the libraries have changed since"
        )


@app.command()
@budgeted
def resume(
    run: Run = None,
    last: Last = False,
    video: OtherVideo = None,
    as_json: flags.AsJson = False,
    model: flags.Model = None,
    base_url: flags.BaseUrl = None,
    engine: flags.Engine = None,
    save_frames: flags.SaveFrames = None,
    report: flags.Report = None,
    export: flags.Export = None,
    decoder: OtherDecoder = None,
    fetch: flags.Download = False,
    max_download_mb: flags.MaxDownloadMb = flags.DEFAULT_DOWNLOAD_MB,
    *,
    limits: Limits,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Go on with a run that was stopped: `vidagent ask --resume RUN` with its question, video, model and server.

    A model, server, engine or decoder that is named here takes the place of the run's.
    """
    past = lazy.api.find_run(_run_id(run, last=last))
    metadata = past.metadata
    videos = _videos(past, video)
    again: dict[str, Any] = {
        **_model_choice(metadata, model, base_url, engine),
        "as_json": as_json,
        "save_frames": save_frames,
        "report": report,
        "export": export,
        "resume": past.run_id,
        "decoder": decoder or metadata["decoder"],
        "fetch": fetch,
        "max_download_mb": max_download_mb,
        **limits,
        "quiet": quiet,
        "verbose": verbose,
    }
    if metadata.get("length") is not None:
        summary(videos[0], length=metadata["length"], **again)
        return
    asking.ask(
        videos,
        metadata["question"],
        option=metadata["options"],
        schema=metadata.get("schema"),
        fps=metadata["overview"]["fps"],
        num_frames=metadata["overview"]["num_frames"],
        **again,
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """One run in a list; what it does not know of a run without an answer is None.

    `names` is what its video is called, or its videos; `video` the first one's path.
    """

    run_id: str
    started: str
    status: str
    question: str
    video: str
    names: str
    model: str
    seconds: float | None
    frames: int | None

    def line(self) -> str:
        """Say it on one line; that about one of several videos stands under the whole, by its number alone."""
        whole, dot, number = self.run_id.partition(".")
        name = f"{dot + number:>{len(whole)}}" if number else whole
        when = datetime.fromisoformat(self.started).astimezone()
        cost = ""
        if self.seconds is not None and self.frames is not None:
            cost = f"{self.seconds:.1f} s, {counted(self.frames, 'frame')}"
        return (
            f"{name}  {when:%a %H:%M}  {self.status:<11}  {_cut(self.question, _QUESTION_CHARS):<48}  "
            f"{_cut(self.names, _NAME_CHARS)}  {self.model}  {cost}"
        ).rstrip()


@dataclass(frozen=True, slots=True)
class RunList:
    """The runs of the last week.

    Args:
        runs: The newest first.
    """

    runs: Sequence[Entry]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {"runs": [dataclasses.asdict(run) for run in self.runs]}

    def lines(self) -> list[str]:
        """Say it to people, one run a line."""
        return [run.line() for run in self.runs] or ["no runs in the last week"]


@dataclass
class StepReport:
    """One step of a run: what it did, and what it cost.

    Args:
        step: Its name.
        began_s: When it began, in seconds since 1970.
    """

    step: str
    began_s: float
    seconds: float = 0.0
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    frames: int = 0
    did: list[str] = field(default_factory=list)

    def add(self, line: dict[str, Any]) -> None:
        """Take a line of the trace in."""
        self.seconds = round(line["at"] - self.began_s, 3)
        if line["kind"] == "event":
            self.did.append(f"{line['event']}: {line['text']}")
        if line["kind"] == "request":
            self.began_s = min(self.began_s, line["at"] - line["seconds"])
            self.seconds = round(line["at"] - self.began_s, 3)
            usage = line["usage"] or {}
            self.requests += 1
            self.frames += line["frames"]
            self.prompt_tokens += usage.get("input_tokens", 0)
            self.completion_tokens += usage.get("output_tokens", 0)

    def lines(self) -> Iterator[str]:
        """Say it to people: the cost, then what was done."""
        cost = [f"{self.seconds:.1f} s"]
        if self.requests:
            cost.append(f"{counted(self.requests, 'request')}, {counted(self.frames, 'frame')}")
        if self.prompt_tokens or self.completion_tokens:
            cost.append(f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens")
        yield f"{self.step:<9} {', '.join(cost)}"
        yield from (f"{'':<9} {_cut(text, _ENDLESS_CHARS)}" for text in self.did)


@dataclass(frozen=True, slots=True)
class RunDetails:
    """One run in full.

    Args:
        run: The run.
        answer: Its answer, if it came to one.
        steps: What it did, step by step.
        error: Why it ended without an answer.
        each: The runs about each of several videos.
    """

    run: Entry
    answer: dict[str, Any] | None
    steps: Sequence[StepReport]
    error: str | None
    each: Sequence[Entry] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "run": dataclasses.asdict(self.run),
            "answer": self.answer,
            "error": self.error,
            "steps": [dataclasses.asdict(step) for step in self.steps],
            **({"videos": [dataclasses.asdict(one) for one in self.each]} if self.each else {}),
        }

    def lines(self) -> list[str]:
        """Say it to people: the answer, then the steps."""
        run = self.run
        head = [
            f"{'run':<9} {run.run_id}, {run.status}",
            f"{'question':<9} {_cut(run.question, _ENDLESS_CHARS)}",
            f"{'videos':<9} {run.names}" if self.each else f"{'video':<9} {run.video}",
            f"{'model':<9} {run.model}",
        ]
        result = [f"{'answer':<9} {_cut(self.answer['answer'], _ENDLESS_CHARS)}"] if self.answer else []
        result += [f"{'error':<9} {_cut(self.error, _ENDLESS_CHARS)}"] if self.error else []
        steps = [line for step in self.steps for line in step.lines()]
        videos = ["", *(one.line() for one in self.each)] if self.each else []
        return [*head, *result, "", *steps, *videos]


def details(past: RecordedRun) -> RunDetails:
    """Return a run in full, with the runs about each of several videos."""
    each = [entry(one) for one in past.video_runs]
    return RunDetails(entry(past), past.answer, steps(past.trace), past.metadata["error"], each)


def entry(past: RecordedRun) -> Entry:
    """Return a run's entry in a list; a run without an end is going on, or was killed."""
    metadata, answer = past.metadata, past.answer
    usage = None if answer is None else answer["usage"]
    return Entry(
        run_id=past.run_id,
        started=metadata["parts"][0]["started"],
        status="unfinished" if metadata["status"] == "running" else metadata["status"],
        question=metadata["question"],
        video=metadata["video"]["path"],
        names=", ".join(names_of([video["path"] for video in metadata.get("videos", [metadata["video"]])])),
        model=metadata["model"],
        seconds=None if usage is None else usage["seconds"],
        frames=None if usage is None else usage["frames_sent"],
    )


def steps(lines: Iterable[dict[str, Any]]) -> list[StepReport]:
    """Group the lines of a trace by the steps of the graph that they come from, in order."""
    found: dict[str, StepReport] = {}
    for line in lines:
        task, step = line["task"], line.get("step")
        if task is None or (step is None and task not in found):
            continue
        found.setdefault(task, StepReport(step or "", line["at"])).add(line)
    return list(found.values())


class _ModelChoice(TypedDict):
    """The model that answers, as `ask` takes it."""

    model: str | None
    base_url: str | None
    engine: EngineName | None


def _model_choice(
    metadata: dict[str, Any], model: str | None, base_url: str | None, engine: EngineName | None
) -> _ModelChoice:
    """Return the model that resumes a run: its own, where it ran, unless the flags name another.

    Another server or engine is asked for the run's model, but never for the embedded one, which no server has.
    """
    embedded = lazy.model_choice.EMBEDDED
    if model == embedded and base_url is None and engine is None:
        return _ModelChoice(model=model, base_url=None, engine="server")
    moved = base_url is not None or engine not in {None, metadata.get("engine")}
    if not moved:
        base_url, engine = (
            metadata["base_url"],
            metadata.get("engine"),
        )  # runs of an earlier version name no engine
    named = metadata["model"] if not moved or metadata["model"] != embedded else None
    return _ModelChoice(model=named if model is None else model, base_url=base_url, engine=engine)


def _videos(past: RecordedRun, video: str | None) -> list[str]:
    """Return where the videos of a run lie.

    Raises:
        UsageError: If one path is given for several.
    """
    metadata = past.metadata
    if not past.is_multi_video:
        return [video or metadata["video"]["absolute"]]
    if video is not None:
        raise UsageError(f"run {past.run_id} is about several videos: they must be where they were")
    return [one["absolute"] for one in metadata["videos"]]


def _run_id(run: str | None, *, last: bool) -> str:
    """Return the run that the arguments name.

    Raises:
        UsageError: If they name none, or two.
    """
    if (run is None) != last:
        raise UsageError("name one run: give RUN (`vidagent runs list` shows them) or --last")
    return run or _LAST


def _cut(text: str, most: int) -> str:
    line = one_line(text)
    return line if len(line) <= most else f"{line[: most - 1]}…"
