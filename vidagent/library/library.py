"""A library of videos, added and searched as one; `vidagent.api.library` adds questions to the agent.

It needs none of the agent, so that a search answers at once.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidagent import config
from vidagent.agents.server import embeddings
from vidagent.agents.speech.choice import needed_ear
from vidagent.errors import UsageError, VideoError
from vidagent.images import jpeg
from vidagent.library.catalog import FILE_NAME, Catalog, Listed, readable
from vidagent.library.changes import Changes, absolute, add_sources, checked_sources, refresh
from vidagent.library.contents import Depth
from vidagent.library.finding import Finder, Hit, Hits, KeptSigns
from vidagent.library.indexing import Doing, Done, VideoDone, index_alone, index_here, index_on_ray
from vidagent.private_folder import make_private
from vidagent.types import Question
from vidagent.video.cache.video_cache import default_folder
from vidagent.video.folder import MAX_VIDEOS
from vidagent.video.video import Video

MAX_HITS = 1000
"""Most hits of one search."""
_THUMBNAIL_PX = 320


@dataclass(frozen=True, slots=True)
class Added:
    """What `add` did.

    Args:
        changes: What was found in the folders.
        indexed: How many videos were read.
        failed: Those that could not be read.
        indexer: The process that reads the videos instead, as it was at work already; or None.
    """

    changes: Changes
    indexed: int = 0
    failed: tuple[VideoDone, ...] = ()
    indexer: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        failed = [{"video": str(one.path), "error": one.error} for one in self.failed]
        changes = dataclasses.asdict(self.changes)
        return {"files": changes, "indexed": self.indexed, "failed": failed, "indexer": self.indexer}


@dataclass(frozen=True, slots=True)
class LibraryStatus:
    """How far a library is indexed.

    Args:
        folder: Where it is kept.
        sources: The folders and files that were added.
        videos: All videos.
        reading: Those that are being read now.
        indexer: The process that reads them, or None.
        bytes: Size of the library's file.
        broken_off: The error that ended the last indexing, or None.
    """

    folder: Path
    sources: tuple[Path, ...]
    videos: tuple[Listed, ...]
    reading: tuple[Path, ...] = ()
    indexer: int | None = None
    bytes: int = 0
    broken_off: str | None = None
    counts: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        """Count the videos by state."""
        states = [one.state for one in self.videos]
        counts = {state: states.count(state) for state in ("indexed", "waiting", "failed", "gone")}
        object.__setattr__(self, "counts", counts)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "folder": str(self.folder),
            "sources": [str(path) for path in self.sources],
            "videos": len(self.videos),
            **self.counts,
            "duration_s": round(sum(one.duration_s or 0.0 for one in self.videos), 3),
            "lines": sum(one.lines for one in self.videos),
            "pictures": sum(one.pictures for one in self.videos),
            "bytes": self.bytes,
            "indexer": self.indexer,
            "reading": [str(path) for path in self.reading],
            "broken_off": self.broken_off,
            "errors": [
                {"video": str(one.path), "error": one.error} for one in self.videos if one.state == "failed"
            ],
        }


class SearchableLibrary:
    """Many videos, indexed for one search; `vidagent.Library` can be asked, too."""

    def __init__(self, folder: str | Path | None = None) -> None:
        """Name the folder of the library; by default `library` in the cache folder."""
        self._settings = config.load()
        self.folder = Path(folder) if folder else (self._settings.cache_dir or default_folder()) / "library"
        self._embedder = embeddings.connect(self._settings)
        self._signs: KeptSigns = {}

    @property
    def exists(self) -> bool:
        """Whether anything was ever added."""
        return (self.folder / FILE_NAME).is_file()

    def add(
        self,
        *paths: str | Path,
        texts: bool = True,
        transcribe: bool = False,
        workers: int | None = None,
        ray: str | None = None,
        on_start: Callable[[Changes, int], None] | None = None,
        on_done: Done | None = None,
        on_progress: Doing | None = None,
        on_note: Callable[[str], None] | None = None,
    ) -> Added:
        """Add folders or files, and index what is new or changed; without any, in what was added before.

        Videos are stored one by one: the same call goes on after a kill. One process indexes at a time; if one is at
        work, it reads these videos too, and the call returns at once.

        Args:
            paths: Folders, which are searched for videos now and at each later call, or files.
            texts: Whether texts on screen are read.
            transcribe: Whether speech is transcribed, by the speech model that is set.
            workers: Most videos read at once; by default one for each CPU.
            ray: Address of a Ray cluster whose nodes read the same paths: `HOST:PORT` of its head, or `auto`.
            on_start: Called with what was found in the folders, and the number of videos to be read.
            on_done: Called with each video that was read, or could not be.
            on_progress: Called in other threads with a video, what is done with it here, and the fraction done.
            on_note: Called with what happens on the cluster.

        Raises:
            UsageError: If a path is not there, an argument is out of range, or no server is set for speech.
            ModelError: If the embedding server cannot be reached.
        """
        most = os.cpu_count() or 1 if workers is None else workers
        if most < 1:
            raise UsageError(f"workers must be 1 or more, got {workers}")
        depth, model = Depth(texts, transcribe), self.check_servers(transcribe=transcribe)
        results: list[VideoDone] = []

        def done(one: VideoDone) -> None:
            results.append(one)
            if on_done is not None:
                on_done(one)

        with readable(self.folder), Catalog(self.folder) as catalog:
            add_sources(catalog, paths)
            with catalog.error_kept():
                changes = refresh(catalog, depth, model)

            def index() -> None:
                if on_start is not None and not results:
                    on_start(changes, catalog.due_count())
                if ray is None:
                    index_here(catalog, self._settings, depth, most, done, on_progress)
                else:
                    index_on_ray(catalog, self._settings, depth, ray, workers, done, on_note)

            with catalog.error_kept():
                indexer = index_alone(catalog, index)
        failed = tuple(one for one in results if one.error is not None)
        return Added(changes, len(results) - len(failed), failed, indexer)

    def check_sources(self, *paths: str | Path) -> None:
        """Check that `add` would take these folders and files.

        Raises:
            UsageError: If a path is not there, or a folder has no video.
        """
        checked_sources(paths)

    def check_servers(self, *, transcribe: bool = False) -> str | None:
        """Check that the servers that `add` needs are set and there.

        Returns:
            The embedding model, or None if no server of one is set.

        Raises:
            UsageError: If speech is to be transcribed and no server is set.
            ModelError: If the embedding server cannot be reached, or sends nothing usable.
        """
        if transcribe:
            needed_ear(self._settings)
        if self._embedder is None:
            return None
        self._embedder.texts(["a video"])
        return self._embedder.model

    def find(
        self,
        query: str,
        *,
        limit: int = 20,
        folders: Sequence[str | Path] = (),
        thumbnails: str | Path | None = None,
    ) -> Hits:
        """Search the indexed videos.

        Args:
            query: Words, in any language; a text in quotes is searched as a phrase.
            limit: Most hits, 1 to 1,000.
            folders: Folders to which the search is limited; none searches all videos.
            thumbnails: A folder in which a picture of each hit is saved.

        Returns:
            The hits, the best first.

        Raises:
            UsageError: If nothing was ever added, or an argument is out of range.
        """
        asked = Question(query).text
        if not 1 <= limit <= MAX_HITS:
            raise UsageError(f"limit must be 1 to {MAX_HITS}, got {limit}")
        if missing := [folder for folder in folders if not Path(folder).expanduser().is_dir()]:
            raise UsageError(f"there is no folder {os.fspath(missing[0])}")
        self._check_exists()
        with readable(self.folder), Catalog(self.folder) as catalog:
            below = [Path(folder).expanduser().resolve() for folder in folders]
            found = Finder(catalog, self._embedder, self._signs).find(asked, limit, below)
        if thumbnails is None:
            return found
        return dataclasses.replace(found, hits=tuple(_with_thumbnails(found.hits, Path(thumbnails))))

    def log(self) -> Path:
        """Return the file that takes what an add in the background says; its folder is made.

        Raises:
            UsageError: If it cannot be written.
        """
        with readable(self.folder):
            path = make_private(self.folder) / "indexing.log"
            path.touch()
        return path

    def indexer(self) -> int | None:
        """Return the id of the process that indexes, or None."""
        if not self.exists:
            return None
        with readable(self.folder), Catalog(self.folder) as catalog:
            return catalog.indexer()

    def videos(self) -> list[Listed]:
        """Return all videos, by path."""
        if not self.exists:
            return []
        with readable(self.folder), Catalog(self.folder) as catalog:
            return catalog.listed()

    def status(self) -> LibraryStatus:
        """Return how far the videos are indexed."""
        if not self.exists:
            return LibraryStatus(self.folder, (), ())
        with readable(self.folder), Catalog(self.folder) as catalog:
            return LibraryStatus(
                self.folder,
                tuple(catalog.sources()),
                tuple(catalog.listed()),
                tuple(catalog.reading()),
                catalog.indexer(),
                (self.folder / FILE_NAME).stat().st_size,
                catalog.broken_off(),
            )

    def remove(self, *paths: str | Path, gone: bool = False) -> list[Path]:
        """Take videos out of the library; their files stay.

        Args:
            paths: Folders, whose videos are all removed, or files.
            gone: Whether the videos whose files are no longer there are removed.

        Returns:
            The removed videos.

        Raises:
            UsageError: If nothing of a path is in the library.
        """
        self._check_exists()
        with readable(self.folder), Catalog(self.folder) as catalog:
            return catalog.remove_below([absolute(path) for path in paths], gone=gone)

    def best_videos(self, question: str, most: int = 4) -> tuple[list[Path], tuple[str, ...]]:
        """Return the videos with the best hits for a question, and notes on what was not searched; errors as `ask`."""
        if not 1 <= most <= MAX_VIDEOS:
            raise UsageError(f"a question is about 1 to {MAX_VIDEOS} videos, got {most}")
        found = self.find(question, limit=MAX_HITS)
        best = list(dict.fromkeys(hit.video for hit in found.hits))[:most]
        if not best:
            raise UsageError(
                f"nothing in the {found.searched} indexed videos fits the question"
                + "".join(f"; {note}" for note in found.notes)
            )
        return best, found.notes

    def _check_exists(self) -> None:
        if not self.exists:
            raise UsageError(
                f"the library in {self.folder} is empty: `vidagent library add DIR` adds the videos of a folder"
            )


def _with_thumbnails(hits: Sequence[Hit], folder: Path) -> list[Hit]:
    """Save a picture of each hit; hits of one video are decoded together."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from None
    settings, saved = config.load(), dict[int, Path]()
    for video in dict.fromkeys(hit.video for hit in hits):
        numbers = [number for number, hit in enumerate(hits) if hit.video == video]
        times_s = [(hits[number].time_s + hits[number].end_s) / 2 for number in numbers]
        try:
            with Video.open(video, decoder=settings.decoder) as opened:
                frames = opened.frames_at(times_s, max_side_px=_THUMBNAIL_PX)
        except VideoError:  # changed or gone since it was searched
            continue
        for number, frame in zip(numbers, frames, strict=True):
            saved[number] = folder / f"hit-{number + 1}-{frame.time_s:.3f}s.jpg"
            saved[number].write_bytes(jpeg.encode(frame.rgb))
    return [dataclasses.replace(hit, thumbnail=saved.get(number)) for number, hit in enumerate(hits)]
