"""The search of a library: by words and by meaning, both joined into one ranking.

Each list of results gives its places points, 1 / (60 + rank) (reciprocal rank fusion, Cormack et al., SIGIR 2009); a
line gets them in proportion to the share of the query's words that it has, a vector to how far it stands out. Places of
one video that overlap are one hit, with the points of its words and of its meaning. The score is the points in relation
to the most that there can be.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidagent.errors import ModelError
from vidagent.library.catalog import Catalog, file_stamp
from vidagent.library.vectors import Near, Signs, VectorKind, load_signs, nearest
from vidagent.library.words import match_of, phrases_of
from vidagent.text import counted, one_line, shortened
from vidagent.video.index.embeddings import Embedder, Vectors

_MOST_LINES, _MOST_NEAR = 300, 100
_RANK = 60
_WEIGHTS = {"words": 1.5, "pictures": 1.0, "lines": 0.5, "names": 0.5}
"""Of the lists: every query has nearest lines, also one that is about what is seen."""
_SOURCES = {"words": "words", "pictures": "meaning", "lines": "meaning", "names": "words"}
"""What the points of a list speak for; of one source the most counts, and those of both add up."""
_LONGEST_JOINED_S = 30.0
"""Longer lines and stretches do not join hits: what stands on screen for an hour overlaps all that happens in it."""
_WHY_CHARS = 160
_MARK = re.compile("\x01(.*?)\x02", re.DOTALL)
_TITLES = {"subtitle": "subtitle", "spoken": "said", "on screen": "on screen", "name": "file name"}


@dataclass(frozen=True, slots=True)
class Hit:
    """A place in a video that fits a query.

    Args:
        video: The file.
        time_s: When it begins, in seconds.
        end_s: When it ends.
        why: Why it fits, such as `on screen: "GATE 7 OPEN"`.
        score: How well it fits in comparison with the others, from 0 to 1.
        thumbnail: Path of its picture, if one was asked for.
    """

    video: Path
    time_s: float
    end_s: float
    why: str
    score: float
    thumbnail: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        shown = {} if self.thumbnail is None else {"thumbnail": str(self.thumbnail)}
        return {
            "video": str(self.video),
            "time_s": self.time_s,
            "end_s": self.end_s,
            "why": self.why,
            "score": self.score,
            **shown,
        }


@dataclass(frozen=True, slots=True)
class Hits:
    """The hits of a query.

    Args:
        query: The query.
        hits: The hits, the best first.
        searched: How many videos were searched.
        notes: What was not searched, one line each.
    """

    query: str
    hits: tuple[Hit, ...]
    searched: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        hits = [hit.to_dict() for hit in self.hits]
        return {"query": self.query, "hits": hits, "searched": self.searched, "notes": list(self.notes)}


@dataclass
class _Place:
    """A place in a video with what speaks for it: `points` by their source, `whys` by their list."""

    sha256: str
    start_s: float
    end_s: float
    points: dict[str, float] = field(default_factory=dict)
    whys: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(self.points.values())

    def overlaps(self, other: _Place) -> bool:
        """Tell whether both are short and have a moment in common; a file's name is no moment."""
        if max(self.length_s, other.length_s) > _LONGEST_JOINED_S or "names" in self.whys | other.whys:
            return False
        return self.start_s <= other.end_s and other.start_s <= self.end_s and self._common_s(other) > 0

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s

    def _common_s(self, other: _Place) -> float:
        return min(self.end_s, other.end_s) - max(self.start_s, other.start_s)

    def join(self, other: _Place) -> None:
        for name, points in other.points.items():
            self.points[name] = max(points, self.points.get(name, 0.0))
        self.whys = other.whys | self.whys


KeptSigns = dict[VectorKind, tuple[object, Signs | None]]
"""The signs of the vectors of each kind, and what tells whether they have changed."""


class Finder:
    """Searches a library.

    Args:
        catalog: The library.
        embedder: Turns queries into vectors, or None to search words only.
        signs: The signs of earlier searches, which are read again once they have changed.
    """

    def __init__(self, catalog: Catalog, embedder: Embedder | None, signs: KeptSigns) -> None:
        """Load nothing yet."""
        self._catalog, self._embedder, self._signs = catalog, embedder, signs

    def find(self, query: str, most: int, below: Sequence[Path] = ()) -> Hits:
        """Return the best hits, of the videos in some folders where these are given (absolute, links resolved)."""
        videos = _below(self._videos(), below)
        notes = list(_waiting(videos))
        ids = [row["id"] for row in videos] if below else None
        lists = self._by_words(query, ids)
        try:
            lists |= self._by_meaning(query, ids)
        except ModelError as error:
            notes.append(f"only words were searched: {error}")
        best = _WEIGHTS["words"] + (_WEIGHTS["pictures"] if len(lists) > 2 else 0.0)
        hits, lost = _hits(_fused(lists), most, best, _by_contents(videos))
        if lost:
            notes.append(
                f"{counted(lost, 'video')} changed or no longer there, and left out; "
                "`vidagent library add` looks for what became of them"
            )
        if not hits and self._embedder is None:
            notes.append(
                "only words were searched; set embedding_base_url (VIDAGENT_EMBEDDING_BASE_URL) and run "
                "`vidagent library add` to search pictures by meaning"
            )
        return Hits(query, tuple(hits), sum(bool(row["found"]) for row in videos), tuple(notes))

    def _videos(self) -> list[sqlite3.Row]:
        return self._catalog.database.rows(
            "SELECT id, path, stamp, due, found, error, sha256 FROM videos ORDER BY path"
        )

    def _by_words(self, query: str, ids: list[int] | None) -> dict[str, list[_Place]]:
        """Return the lines and the names of files with words of a query."""
        found: dict[str, list[_Place]] = {"words": [], "names": []}
        phrases = phrases_of(query)
        rows = self._matching(match_of(phrases), ids) if phrases else []
        if phrases and not rows:
            rows = self._matching(match_of(phrases, prefixes=True), ids)
        scored = [(_share(row["marked"], len(phrases)), row) for row in rows]
        ranked = sorted(scored, key=lambda one: (-one[0], one[1]["worth"]))
        for share, row in ranked:
            name = "names" if row["kind"] == "name" else "words"
            why = f"{_TITLES[row['kind']]}: {_quoted(row['text'])}"
            points = {_SOURCES[name]: _WEIGHTS[name] * share / (_RANK + len(found[name]) + 1)}
            found[name].append(_Place(row["sha256"], row["start_s"], row["end_s"], points, {name: why}))
        return found

    def _matching(self, match: str, ids: list[int] | None) -> list[sqlite3.Row]:
        chosen = None if ids is None else json.dumps(ids)
        return self._catalog.database.rows(
            "SELECT l.kind, l.start_s, l.end_s, l.text, v.sha256, bm25(words) AS worth, "
            "highlight(words, 0, char(1), char(2)) AS marked "
            "FROM words JOIN lines l ON l.id = words.rowid JOIN videos v ON v.id = l.video "
            "WHERE words MATCH ? AND v.found AND (? IS NULL OR v.id IN (SELECT value FROM json_each(?))) "
            "ORDER BY worth LIMIT ?",
            match,
            chosen,
            chosen,
            _MOST_LINES,
        )

    def _by_meaning(self, query: str, ids: list[int] | None) -> dict[str, list[_Place]]:
        """Return the pictures and the lines nearest to a query; no list if nothing is kept as vectors."""
        if self._embedder is None or not self._catalog.database.row("SELECT 1 FROM vectors LIMIT 1"):
            return {}
        vector = self._embedder.texts([query])
        found: dict[str, list[_Place]] = {}
        if pictures := self._nearest("picture", vector, ids):
            found["pictures"] = [
                self._place(near, rank, "pictures", f"looks like it (similarity {near.cosine:.2f})")
                for rank, near in enumerate(pictures, 1)
            ]
        if lines := self._nearest("line", vector, ids):
            found["lines"] = [
                self._place(near, rank, "lines", self._similar(near)) for rank, near in enumerate(lines, 1)
            ]
        return found

    def _nearest(self, kind: VectorKind, vector: Vectors, ids: list[int] | None) -> list[Near]:
        database, model = self._catalog.database, self._embedder.model if self._embedder else ""
        state = database.row(
            "SELECT (SELECT max(id) FROM vectors), (SELECT count(*) FROM vectors), (SELECT sum(found) FROM videos), "
            "(SELECT max(indexed_s) FROM videos), (SELECT sum(vectors) FROM means)"
        )
        version = (model, vector.shape[1], *(state or ()))
        known, signs = self._signs.get(kind, (None, None))
        if known != version:
            signs = load_signs(database, kind, model, vector.shape[1])
            self._signs[kind] = (version, signs)
        if signs is None:
            return []
        return nearest(database, signs if ids is None else signs.of_videos(ids), vector, _MOST_NEAR)

    def _place(self, near: Near, rank: int, name: str, why: str) -> _Place:
        row = self._catalog.database.row("SELECT sha256 FROM videos WHERE id = ?", near.video)
        points = {_SOURCES[name]: _WEIGHTS[name] * near.share / (_RANK + rank)}
        return _Place(row["sha256"] if row else "", near.start_s, near.end_s, points, {name: why})

    def _similar(self, near: Near) -> str:
        row = self._catalog.database.row("SELECT kind, text FROM lines WHERE id = ?", near.line)
        if row is None:
            return ""
        return f"{_TITLES[row['kind']]}, of like meaning: {_quoted(row['text'])}"


def _fused(lists: dict[str, list[_Place]]) -> list[_Place]:
    """Join the places of all lists into hits, the best first."""
    hits: list[_Place] = []
    by_video: dict[str, list[_Place]] = {}
    for place in sorted((place for found in lists.values() for place in found), key=lambda one: -one.total):
        of_video = by_video.setdefault(place.sha256, [])
        joined = next((hit for hit in of_video if hit.overlaps(place)), None)
        if joined is not None:
            joined.join(place)
        else:
            of_video.append(place)
            hits.append(place)
    return sorted(hits, key=lambda hit: -hit.total)


def _below(videos: list[sqlite3.Row], folders: Sequence[Path]) -> list[sqlite3.Row]:
    """Return the videos that lie in one of some folders, where there are any; links are resolved as they are now."""
    if not folders:
        return videos
    inside: dict[str, bool] = {}

    def is_inside(path: str) -> bool:
        if Path(path).is_symlink():
            return _is_inside(path, folders)
        folder = os.path.dirname(path)  # noqa: PTH120 - of thousands
        if folder not in inside:
            inside[folder] = _is_inside(folder, folders)
        return inside[folder]

    return [row for row in videos if is_inside(os.fsdecode(row["path"]))]


def _is_inside(path: str, folders: Sequence[Path]) -> bool:
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(folder) for folder in folders)


def _waiting(videos: Iterable[sqlite3.Row]) -> Iterator[str]:
    """Yield a note if videos are not indexed yet."""
    waiting = sum(bool(row["due"] and not row["found"] and row["error"] is None) for row in videos)
    if waiting:
        yield f"{counted(waiting, 'video')} not indexed yet; see `vidagent library status`"


def _by_contents(videos: Iterable[sqlite3.Row]) -> dict[str, list[sqlite3.Row]]:
    """Return the searched files by their content hashes."""
    found: dict[str, list[sqlite3.Row]] = {}
    for row in videos:
        if row["found"]:
            found.setdefault(row["sha256"], []).append(row)
    return found


def _hits(
    places: Iterable[_Place], most: int, best: float, videos: dict[str, list[sqlite3.Row]]
) -> tuple[list[Hit], int]:
    """Return the first places whose video is as it was indexed, and how many videos before them are not.

    Args:
        places: The places, the best first.
        most: Most hits.
        best: The points, times `_RANK` + 1, of a place that all speaks for.
        videos: The files that are searched, by content hash.
    """
    hits: list[Hit] = []
    files: dict[str, Path | None] = {}
    for place in places:
        if len(hits) == most:
            break
        if place.sha256 in videos:
            if place.sha256 not in files:
                files[place.sha256] = _unchanged(videos[place.sha256])
            if (path := files[place.sha256]) is not None:
                hits.append(_hit(path, place, best))
    return hits, sum(path is None for path in files.values())


def _unchanged(rows: Iterable[sqlite3.Row]) -> Path | None:
    """Return the first file that is as it was indexed."""
    paths = ((Path(os.fsdecode(row["path"])), row["stamp"]) for row in rows)
    return next((path for path, stamp in paths if file_stamp(path) == stamp), None)


def _hit(path: Path, place: _Place, best: float) -> Hit:
    """Return a hit; `best` is the weight of all that can speak for it."""
    score = place.total * (_RANK + 1) / best
    whys = [place.whys[name] for name in _WEIGHTS if name in place.whys]
    why = "; ".join(
        one for number, one in enumerate(whys) if not any(_text(one) in other for other in whys[:number])
    )
    return Hit(path, round(place.start_s, 3), round(place.end_s, 3), why, round(min(1.0, score), 4))


def _share(marked: str, phrases: int) -> float:
    """Return the share of a query's phrases that a text has, by the matches that the search has marked in it."""
    found = {match.casefold() for match in _MARK.findall(marked)}
    return min(1.0, len(found) / max(1, phrases))


def _text(why: str) -> str:
    """Return the text that a reason quotes, or all of it."""
    return why.partition(": ")[2] or why


def _quoted(text: str) -> str:
    return f'"{shortened(one_line(text), _WHY_CHARS)}"'
