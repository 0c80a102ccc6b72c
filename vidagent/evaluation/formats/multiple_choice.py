"""Benchmarks of multiple choice: Video-MME, LVBench, LongVideoBench, MLVU and EgoSchema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from vidagent.errors import UsageError
from vidagent.evaluation.formats.item import Benchmark, Item, Truth
from vidagent.evaluation.formats.rows import Row, read_json, read_rows, validated

_LETTERED = re.compile(r"^\s*\(?([A-Z])[.):]\s*")
_IN_QUESTION = re.compile(r"\n\s*\(([A-Z])\)\s*")
_PRINTED = re.compile(r"""['"]?([A-H]\. .*?)['"]?[\s,]*(?=['"]?[B-I]\. |\]|$)""", re.DOTALL)


def _listed(value: object) -> object:
    """Read a list that a CSV export wrote as JSON, or as Python or NumPy print it."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return _PRINTED.findall(value.strip().removeprefix("["))


Listed = Annotated[list[str], BeforeValidator(_listed)]


class _VideoMme(Row):
    question_id: str
    video: str = Field(alias="videoID")
    question: str
    options: Listed
    answer: str | None = None
    duration: str = ""
    domain: str = ""
    sub_category: str = ""
    task_type: str = ""


def videomme(path: Path, answers: Path | None) -> Benchmark:
    """Read Video-MME: one record a question, options as `A. …`, the answer's letter, the video's name in `videoID`.

    Source: the dataset card of lmms-lab/Video-MME (`videomme/test-00000-of-00001.parquet`: video_id, duration, domain,
    sub_category, url, videoID, question_id, task_type, question, options, answer); arXiv:2405.21075.
    """
    rows = list(validated(read_rows(path), _VideoMme, path))
    names = ("duration", "domain", "sub_category", "task_type")
    items = [
        _item(
            row.question_id,
            row.video,
            row.question,
            [_LETTERED.sub("", option) for option in row.options],
            _letter(row.answer),
            {name: getattr(row, name) for name in names},
        )
        for row in rows
    ]
    return _known("videomme", items)


class _LvQuestion(Row):
    uid: str
    question: str
    answer: str | None = None
    question_type: tuple[str, ...] = ()


class _LvVideo(Row):
    key: str
    type: str = ""
    qa: list[_LvQuestion]


def lvbench(path: Path, answers: Path | None) -> Benchmark:
    """Read LVBench: one line a video, its questions in `qa`, with the options `(A) …` in the lines of the question.

    `time_reference`, where in the video the answer is, is not scored by the benchmark, and not here.

    Source: `data/video_info.meta.jsonl` of the repository THUDM/LVBench (key, type, video_info, qa: uid, question,
    answer, question_type, time_reference); arXiv:2406.08035.
    """
    items = []
    for video in validated(read_rows(path), _LvVideo, path):
        for asked in video.qa:
            question, *parts = _IN_QUESTION.split("\n" + asked.question.strip())
            categories: dict[str, str | tuple[str, ...]] = {
                "question_type": asked.question_type,
                "type": video.type,
            }
            choice = _letter(asked.answer)
            name = f"{video.key}/{asked.uid}"
            items.append(_item(name, video.key, question, parts[1::2], choice, categories))
    return _known("lvbench", items)


class _LongVideo(Row):
    id: str
    video_path: str
    question: str
    candidates: Listed
    correct_choice: int | None = None
    duration_group: str = ""
    question_category: str = ""
    topic_category: str = ""
    level: str = ""


def longvideobench(path: Path, answers: Path | None) -> Benchmark:
    """Read LongVideoBench: a list of records, `candidates` and the index `correct_choice`; the test split has none.

    Source: `lvb_val.json` of longvideobench/LongVideoBench, as its dataloader reads it (id, video_path, question,
    candidates, correct_choice, duration_group, question_category, topic_category, level); arXiv:2407.15754.
    """
    names = ("duration_group", "question_category", "topic_category", "level")
    items = [
        _item(
            row.id,
            row.video_path,
            row.question,
            row.candidates,
            row.correct_choice,
            {name: getattr(row, name) for name in names},
        )
        for row in validated(read_rows(path), _LongVideo, path)
    ]
    return _known("longvideobench", items)


class _Mlvu(Row):
    video: str
    question: str
    candidates: Listed = Field(default_factory=list)
    answer: str | None = None
    question_type: str = ""


def mlvu(path: Path, answers: Path | None) -> Benchmark:
    """Read MLVU: a file for each task, or a folder of them; `answer` is the text of one of the `candidates`.

    The tasks that are answered in free words (sub_scene, summary) have no candidates and are left out.

    Source: `json/1_plotQA.json` … `7_topic_reasoning.json` of MLVU/MVLU (video, duration, question, candidates, answer,
    question_type), repository JUNJIE99/MLVU; arXiv:2406.04264.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise UsageError(f"{path}: no .json file in it")
    items = []
    for file in files:
        for number, row in enumerate(validated(read_rows(file), _Mlvu, file)):
            known = row.answer is not None and row.answer in row.candidates
            choice = row.candidates.index(row.answer or "") if known else None
            name = f"{file.stem}/{number}"
            categories = {"question_type": row.question_type}
            items.append(_item(name, row.video, row.question, row.candidates, choice, categories))
    return _known("mlvu", items)


class _Ego(Row):
    q_uid: str
    question: str
    a: str = Field(alias="option 0")
    b: str = Field(alias="option 1")
    c: str = Field(alias="option 2")
    d: str = Field(alias="option 3")
    e: str = Field(alias="option 4")


def egoschema(path: Path, answers: Path | None) -> Benchmark:
    """Read EgoSchema: `questions.json`, and the 500 public answers of `subset_answers.json` (`{q_uid: index}`).

    Without `answers`, they are looked for beside the questions. A video is named after its question.

    Source: repository egoschema/EgoSchema (`questions.json`: q_uid, google_drive_id, question, `option 0` … `option 4`;
    `subset_answers.json`); arXiv:2308.09126.
    """
    file = answers or path.with_name("subset_answers.json")
    right = read_json(file)
    if not isinstance(right, dict):
        raise UsageError(f"{file}: expected an object from q_uid to index, got {type(right).__name__}")
    items = [
        _item(
            row.q_uid,
            row.q_uid,
            row.question,
            [row.a, row.b, row.c, row.d, row.e],
            _index(right, row.q_uid),
            {},
        )
        for row in validated(read_rows(path), _Ego, path)
    ]
    return _known("egoschema", items)


def _item(
    name: str,
    video: str,
    question: str,
    options: list[str],
    choice: int | None,
    categories: Mapping[str, str | tuple[str, ...]],
) -> Item | None:
    """Return the question, or None where its right answer is not known."""
    if choice is None or not 0 <= choice < len(options):
        return None
    sorted_under = {
        key: (value,) if isinstance(value, str) else value for key, value in categories.items() if value
    }
    truth = Truth("choice", choice=choice)
    return Item(name, video, question.strip(), truth, tuple(text.strip() for text in options), sorted_under)


def _known(name: str, items: list[Item | None]) -> Benchmark:
    known = tuple(item for item in items if item is not None)
    return Benchmark(name, known, len(items) - len(known))


def _letter(answer: str | None) -> int | None:
    match = re.match(r"\s*\(?([A-Z])\b", answer or "")
    return None if match is None else ord(match[1]) - ord("A")


def _index(right: Mapping[str, Any], name: str) -> int | None:
    value = right.get(name)
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() else None
