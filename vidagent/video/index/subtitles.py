"""Subtitles: SubRip and WebVTT texts, and sidecar files of a video.

pysubs2 does not replace this: it loses cues without hours and WebVTT speakers, reads comments and styles as cues,
leaves character references, and takes quadratic time on crafted texts.
"""

from __future__ import annotations

import codecs
import html
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

LOG = logging.getLogger(__name__)
SUFFIXES = (".srt", ".vtt")
MAX_BYTES = 32_000_000
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks; those of UTF-32 come first, as they begin like those of UTF-16."""

CLOCK = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
TIMING = re.compile(rf"\s*{CLOCK}\s*-->\s*{CLOCK}(?:\s.*)?")
SPEAKER = re.compile(r"<v(?:\.[^\s>]{0,100})?\s+([^>]{1,100})>", re.IGNORECASE)
BREAK = re.compile(r"<br\s*/?>|\\[Nn]", re.IGNORECASE)
TAG = re.compile(
    r"</?(?:b|c|font|i|lang|p|rt|ruby|s|span|u|v)(?:[\s.][^>]{0,200})?>|<[\d:.]{5,16}>|\{\\[^}]{0,200}\}",
    re.IGNORECASE,
)
LABEL = re.compile(
    r"(?:\.(?:[a-z]{2,3}(?:[-_][a-z0-9]{2,8}){0,2}|auto|default|forced|full)){0,3}", re.IGNORECASE
)
"""Allowed between the video's name and the suffix: language tags and the words players know."""


@dataclass(frozen=True, slots=True, order=True)
class Cue:
    """A line of subtitles or speech in `[start_s, end_s)`; line breaks are newlines, markup is removed.

    Args:
        start_s: When it begins, in seconds.
        end_s: When it ends.
        text: The text.
        words: Its words with their own times, in order, where a speech model told them.
        speaker: Who says it, as the speech model labels voices; empty if unknown.
    """

    start_s: float
    end_s: float
    text: str
    words: tuple[Cue, ...] = ()
    speaker: str = ""


def decode(data: bytes) -> str:
    """Decode a subtitle file by its byte order mark, else as UTF-8, else as Windows-1252."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def plain(text: str) -> str:
    """Return the text without markup: SubRip and WebVTT tags, ASS overrides, character references.

    The speaker of a WebVTT voice tag is preserved as `Speaker: `.
    """
    text = BREAK.sub("\n", SPEAKER.sub(r"\1: ", text)).replace("\\h", " ")
    text = html.unescape(TAG.sub("", text)).replace("\u200e", "").replace("\u200f", "")
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def parse_srt(text: str) -> list[Cue]:
    """Return the cues of a SubRip text, by time.

    As in files found in the wild, counters may be missing, texts may contain empty lines, and times may use a dot or
    omit the hours. Cues that are empty or end before they begin are left out.
    """
    lines = text.splitlines()
    timings = [number for number, line in enumerate(lines) if TIMING.fullmatch(line)]
    cues = (
        _cue(lines[start], _without_counter(lines[start + 1 : end], last=end == len(lines)))
        for start, end in pairwise([*timings, len(lines)])
    )
    return sorted(cue for cue in cues if cue)


def _without_counter(lines: list[str], *, last: bool) -> list[str]:
    """Drop the counter of the next cue, which is the last line after an empty one."""
    if last or not lines or not lines[-1].strip().isdigit():
        return lines
    return lines[:-1] if len(lines) == 1 or not lines[-2].strip() else lines


def parse_vtt(text: str) -> list[Cue]:
    """Return the cues of a WebVTT text (https://www.w3.org/TR/webvtt1/), by time.

    Comments, styles and regions are ignored; cues that are empty or end before they begin are left out.
    """
    cues = (_cue(block[0], block[1:]) for block in _vtt_blocks(text))
    return sorted(cue for cue in cues if cue)


def _vtt_blocks(text: str) -> Iterator[list[str]]:
    """Yield each cue as its timing line and the lines after it, up to an empty one."""
    for block in re.split(r"\n[ \t]*\n", "\n".join(text.splitlines())):
        lines = [line for line in block.split("\n") if line.strip()]
        # The timing comes first or after the cue's name; a comment may contain something that looks like one.
        if lines and lines[0].split()[0] != "NOTE":
            for at in range(min(2, len(lines))):
                if TIMING.fullmatch(lines[at]):
                    yield lines[at:]
                    break


def _cue(timing: str, lines: list[str]) -> Cue | None:
    match = TIMING.fullmatch(timing)
    if not match:
        return None
    start_s, end_s = _seconds(*match.groups()[:4]), _seconds(*match.groups()[4:])
    text = plain("\n".join(lines))
    return Cue(start_s, end_s, text) if text and start_s < end_s else None


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")


class SidecarFolders:
    """Subtitle files of folders; each folder is listed once, so that many videos of one are quick."""

    def __init__(self) -> None:
        """List nothing yet."""
        self._folders: dict[Path, dict[str, list[Path]]] = {}

    def of(self, video: Path) -> list[Path]:
        """Return the subtitle files next to a video, such as `talk.srt`, `talk.pt-BR.vtt` and `talk.mp4.srt`."""
        if video.parent not in self._folders:
            self._folders[video.parent] = _by_base(video.parent)
        bases = self._folders[video.parent]
        found = {*bases.get(video.stem, ()), *bases.get(video.name, ())}
        return sorted(path for path in found if _belongs(path.name, video) and path.is_file())


def sidecars(video: Path) -> list[Path]:
    """Return the subtitle files next to one video."""
    return SidecarFolders().of(video)


def _by_base(folder: Path) -> dict[str, list[Path]]:
    """Return the subtitle files of a folder by each beginning of their names that may be a video's."""
    found: dict[str, list[Path]] = {}
    try:
        names = os.listdir(folder)  # noqa: PTH208 - of many files
    except OSError:
        return {}
    for name in names:
        if name.casefold().endswith(SUFFIXES):
            for dot in (place for place, character in enumerate(name) if character == "."):
                found.setdefault(name[:dot], []).append(folder / name)
    return found


def _belongs(name: str, video: Path) -> bool:
    if not name.casefold().endswith(SUFFIXES):
        return False
    bases = [base for base in (video.stem, video.name) if name.startswith(base)]
    return any(LABEL.fullmatch(name[len(base) : -4]) for base in bases)


def sidecar_cues(video: Path) -> list[Cue]:
    """Return the cues of all sidecar files, by time, without duplicates and unreadable files."""
    found: set[Cue] = set()
    for path in sidecars(video):
        try:
            found.update(_read(path))
        except OSError as error:
            LOG.warning("subtitles %s are left out: %s", path.name, error)
    return sorted(found)


def _read(path: Path) -> list[Cue]:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(f"larger than {MAX_BYTES} bytes")
    parse = parse_vtt if path.suffix.casefold() == ".vtt" else parse_srt
    return parse(decode(data))
