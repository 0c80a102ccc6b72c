"""`vidagent library` and `vidagent find`: many videos indexed for one search."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidagent.errors import UsageError
from vidagent.serve.cli import flags, lazy
from vidagent.serve.terminal import console, printing
from vidagent.serve.terminal.library_progress import LibraryProgress
from vidagent.text import counted, one_line, valid_unicode
from vidagent.video.clock import format_time

if TYPE_CHECKING:
    from vidagent.library.catalog import Listed
    from vidagent.library.changes import Changes
    from vidagent.library.finding import Hit, Hits
    from vidagent.library.library import LibraryStatus, SearchableLibrary

_MB = 1_000_000
_SOME_FAILED = 3
_START_S, _POLL_S = 10.0, 0.1
"""How long a start in the background is waited for, as most errors come by then."""
_BUSY = "is indexing already and reads these, too; see `vidagent library status`"

app = typer.Typer(
    name="library",
    help="Add folders of videos to the library, which `find` searches and `ask --library` asks about.",
    no_args_is_help=True,
)

Paths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[DIR|FILE]...", help="Folders, with all below them, or files; none: those added before."
    ),
]
Removed = Annotated[
    list[str] | None, typer.Argument(metavar="[DIR|FILE]...", help="Folders or files.", show_default=False)
]
Background = Annotated[
    bool, typer.Option("--background", help="Go on in the background; `library status` tells how far it is.")
]
NoTexts = Annotated[
    bool, typer.Option("--no-texts", help="Do not read the texts on screen, which takes most of the time.")
]
Workers = Annotated[
    int | None,
    flags.number(
        "--workers", int, "N", "Videos read at once; by default one for each CPU.", legal="1 or more"
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS|auto",
        help="Read the videos on a Ray cluster whose nodes see them under the same paths: HOST:PORT of its head, or "
        "`auto` for the one on this machine.",
    ),
]
Gone = Annotated[bool, typer.Option("--gone", help="Remove the videos whose files are no longer there.")]
Query = Annotated[
    str,
    typer.Argument(
        metavar="QUERY",
        help='What to look for; a text in "quotes" is searched as a phrase.',
        show_default=False,
    ),
]
Limit = Annotated[int, flags.number("--limit", int, "N", "Most hits.", legal="1 to 1,000")]
Within = Annotated[
    list[str] | None,
    typer.Option("--in", metavar="DIR", help="Search the videos of this folder only; repeatable."),
]
Thumbnails = Annotated[
    Path | None,
    typer.Option("--save-frames", metavar="DIR", file_okay=False, help="Save a picture of each hit here."),
]


@app.command()
def add(
    paths: Paths = None,
    background: Background = False,
    no_texts: NoTexts = False,
    transcribe: flags.Transcribe = False,
    workers: Workers = None,
    ray: Ray = None,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Add folders, and index what is new or changed in them and in those added before.

    Stop it at any time: the same command, or one without folders, goes on with what is left. Files that were moved keep
    what is known of them. The exit code is 3 if videos could not be read, which are read again the next time.
    """
    console.loudness(quiet=quiet, verbose=verbose)
    library = lazy.library.SearchableLibrary()
    names = list(paths or ())
    if not names and not library.exists:
        raise UsageError("name the folders whose videos are to be added: vidagent library add DIR")
    if background:
        library.check_sources(*names)
        library.check_servers(transcribe=transcribe)
        chosen = [*["--no-texts"] * no_texts, *["--transcribe"] * transcribe]
        chosen += [f"--workers={workers}"] * (workers is not None) + [f"--ray={ray}"] * (ray is not None)
        _start(library, names, chosen)
        return
    display = LibraryProgress(console.stderr(), workers or os.cpu_count() or 1, quiet=quiet)

    def start(changes: Changes, due: int) -> None:
        display.tell(f"found     {changes.words}")
        display.start(due)

    with display:
        try:
            added = library.add(
                *names,
                texts=not no_texts,
                transcribe=transcribe,
                workers=workers,
                ray=ray,
                on_start=start,
                on_done=display.add,
                on_progress=display.doing,
                on_note=display.tell,
            )
        except KeyboardInterrupt:
            display.tell(f"{display.summary()}; `vidagent library add` goes on with the others")
            raise
    if added.indexer is not None:
        display.tell(f"found     {added.changes.words}")
        display.tell(f"process {added.indexer} {_BUSY}")
    elif added.indexed or added.failed:
        display.tell(display.summary())
    if as_json:
        printing.show_json(added.to_dict())
    if added.failed:
        raise typer.Exit(_SOME_FAILED)


def _start(library: SearchableLibrary, names: Sequence[str], chosen: Sequence[str]) -> None:
    """Start the same command in a process of its own, which goes on when the terminal is closed.

    Raises:
        Exit: With the exit code of the process, if it ends with an error at once.
    """
    log, _ = library.log(), library.indexer()  # a library that cannot be used is refused here
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - this program
            [sys.executable, "-m", "vidagent", "library", "add", *chosen, "--", *names],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        began = output.tell()
    until_s = time.monotonic() + _START_S
    while process.poll() is None and library.indexer() != process.pid and time.monotonic() < until_s:
        time.sleep(_POLL_S)
    if process.returncode not in {None, 0, _SOME_FAILED}:
        console.stderr().say(log.read_bytes()[began:].decode("utf-8", "replace").rstrip())
        raise typer.Exit(process.returncode)
    console.stderr().say(
        f"indexing in the background (process {process.pid}; log {log}); `vidagent library status` tells how far it is"
    )


@app.command("list")
def list_videos(
    as_json: flags.AsJson = False, quiet: flags.Quiet = False, verbose: flags.Verbose = False
) -> None:
    """List the videos of the library and their state."""
    console.loudness(quiet=quiet, verbose=verbose)
    printing.show_report(_VideoList(lazy.library.SearchableLibrary().videos()), as_json=as_json)


@app.command()
def status(as_json: flags.AsJson = False, quiet: flags.Quiet = False, verbose: flags.Verbose = False) -> None:
    """Say how far the library is indexed, what is being read, and what could not be."""
    console.loudness(quiet=quiet, verbose=verbose)
    printing.show_report(_Status(lazy.library.SearchableLibrary().status()), as_json=as_json)


@app.command()
def remove(
    paths: Removed = None,
    gone: Gone = False,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Take folders or files out of the library; the files themselves stay."""
    console.loudness(quiet=quiet, verbose=verbose)
    if not paths and not gone:
        raise UsageError("name the folders or files to be removed, or give --gone")
    removed = lazy.library.SearchableLibrary().remove(*(paths or ()), gone=gone)
    if as_json:
        printing.show_json({"removed": [str(path) for path in removed]})
    elif not quiet:
        console.stderr().say(f"removed   {counted(len(removed), 'video')} from the library")


def find(
    query: Query,
    limit: Limit = 20,
    within: Within = None,
    save_frames: Thumbnails = None,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Find moments in the videos of the library, by words and by meaning, the best first.

    Searched are subtitles, transcripts, texts on screen and file names, and pictures where an embedding server is set
    (VIDAGENT_EMBEDDING_BASE_URL). Nothing is decoded, and no other model is asked.
    """
    console.loudness(quiet=quiet, verbose=verbose)
    found = lazy.library.SearchableLibrary().find(
        valid_unicode(query), limit=limit, folders=within or (), thumbnails=save_frames
    )
    if as_json:
        printing.show_json(found.to_dict())
        return
    for line in _hit_lines(found):
        console.stdout().say(line)
    if not quiet:
        for note in found.notes:
            console.stderr().say(f"note      {note}", style="yellow")


def _hit_lines(found: Hits) -> Iterator[str]:
    if not found.hits:
        yield f"nothing found in {counted(found.searched, 'video')}"
    for hit in found.hits:
        yield f"{_shown_path(hit)}  {format_time(hit.time_s)} to {format_time(hit.end_s)}"
        yield f"  {one_line(hit.why)}"
        if hit.thumbnail is not None:
            yield f"  {hit.thumbnail}"


def _shown_path(hit: Hit) -> str:
    """Return the path as it is typed from here, where the video lies below this folder."""
    return str(hit.video.relative_to(Path.cwd())) if hit.video.is_relative_to(Path.cwd()) else str(hit.video)


@dataclass(frozen=True, slots=True)
class _VideoList:
    """The videos of the library."""

    videos: Sequence[Listed]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {"videos": [one.to_dict() for one in self.videos]}

    def lines(self) -> list[str]:
        """Say it to people, one video a line."""
        return [_video_line(one) for one in self.videos] or [
            "no videos; `vidagent library add DIR` adds some"
        ]


def _video_line(one: Listed) -> str:
    length = "" if one.duration_s is None else format_time(one.duration_s)
    unread = f", {one.texts_read:.0%} of the texts read" if one.texts_read not in {None, 1.0} else ""
    kept = f"{counted(one.lines, 'line')}, {counted(one.pictures, 'picture')}{unread}" if one.findable else ""
    why = (one.error or "").removeprefix(f"{one.path}: ") if one.state == "failed" else kept
    return f"{one.state:<8} {length:>12}  {_row(one.path)}  {one_line(why)}".rstrip()


def _row(path: Path) -> str:
    """Return a path on one line, with its spaces as they are."""
    return " ".join(str(path).splitlines())


@dataclass(frozen=True, slots=True)
class _Status:
    """How far the library is indexed."""

    status: LibraryStatus

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return self.status.to_dict()

    def lines(self) -> list[str]:
        """Say it to people."""
        found = self.status
        states = ", ".join(f"{count:,} {state}" for state, count in found.counts.items() if count)
        facts = found.to_dict()
        rows = [
            ("videos", f"{len(found.videos):,}{f': {states}' if states else ''}"),
            (
                "kept",
                f"{counted(facts['lines'], 'line')}, {counted(facts['pictures'], 'picture')} as vectors",
            ),
            ("length", format_time(facts["duration_s"])),
            ("file", f"{found.folder}, {found.bytes / _MB:,.1f} MB"),
            *(("added", _row(path)) for path in found.sources),
        ]
        if found.indexer is not None:
            rows.append(("indexing", f"process {found.indexer}"))
            rows += [("reading", _row(path)) for path in found.reading]
        elif found.counts["waiting"]:
            rows.append(("indexing", "nobody; `vidagent library add` goes on"))
        if found.broken_off is not None:
            rows.append(("ended by", one_line(found.broken_off)))
        rows += [("failed", one_line(one.error or "")) for one in found.videos if one.state == "failed"]
        return printing.aligned(rows)
