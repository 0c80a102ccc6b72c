"""The files of a review: questions, two sets of answers, contexts and rules, as LLaVA and NeVA have them.

Sources: `examples/multimodal/multimodal_llm/neva/eval/mixtral_eval.py` of NVIDIA/NeMo, and `llava/eval/` of
haotian-liu/LLaVA (`eval_gpt_review_bench.py`, `eval_gpt_review_visual.py`, `table/rule.json`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from vidagent.errors import UsageError
from vidagent.evaluation.formats.rows import Row, read_json, read_rows, validated

_PREFIX = "llava_bench_"
_DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Answered:
    """One of the two answers.

    Args:
        id: The name that its file gives it.
        text: Its words.
    """

    id: str | int
    text: str


class Rule(Row):
    """How the answers of a category are judged: who gave them, and what the judge is asked."""

    role: str = "Assistant"
    prompt: str


@dataclass(frozen=True, slots=True)
class Case:
    """A question with both answers, ready to be judged.

    Args:
        question_id: The question's name.
        question: The question.
        category: The name of its rule, such as `llava_bench_conv`.
        rule: The rule.
        context: What is to be seen, in words; None without a context file.
        answers: The two answers.
    """

    question_id: str | int
    question: str
    category: str
    rule: Rule
    context: str | None
    answers: tuple[Answered, Answered]


@dataclass(frozen=True, slots=True)
class Cases:
    """All questions.

    Args:
        judged: Those with both answers.
        failed: For each of the two files with such lines, the questions that it has an error for and no answer.
    """

    judged: list[Case]
    failed: dict[Path, list[str | int]]


class _Question(Row):
    question_id: str | int
    text: str
    category: str = ""
    image: str | None = None
    video: str | None = None


class _Answer(Row):
    question_id: str | int | None = None
    response_id: str | int | None = None
    answer_id: str | int | None = None
    text: str | None = None
    response: str | None = None
    error: Any = None


class _Context(Row):
    image: str | None = None
    video: str | None = None
    caption: str | list[str] = Field()


def read_cases(questions: Path, answers: tuple[Path, Path], context: Path | None, rules: Path) -> Cases:
    """Read all files and join them by question.

    Args:
        questions: Lines with `question_id`, `text`, `category`, and `image` or `video`.
        answers: Two files of lines with `question_id` and `text`, or `response_id` and `response`; a line with `error`
            and no response, as `vidagent batch` writes it, is no answer.
        context: Lines with `image` or `video`, and `caption`.
        rules: An object from `llava_bench_CATEGORY`, `CATEGORY` or `default` to `role` and `prompt`.

    Raises:
        UsageError: If a file does not fit, a question lacks an answer, its context or a rule, or none has two answers.
    """
    asked = list(validated(read_rows(questions), _Question, questions))
    if not asked:
        raise UsageError(f"{questions}: no question in it")
    if len({str(one.question_id) for one in asked}) < len(asked):
        raise UsageError(f"{questions}: two questions have the same question_id")
    first, second = (_answers(path) for path in answers)
    captions = None if context is None else _captions(context)
    known = _rules(rules)
    found = Cases([], {})
    for one in asked:
        name = str(one.question_id)
        for path, given in zip(answers, (first, second), strict=True):
            if name not in given:
                raise UsageError(f"{path}: no answer to question {name}")
            if given[name] is None:
                found.failed.setdefault(path, []).append(one.question_id)
        category = _category(one, known, rules)
        told = None if captions is None else _context(one, captions, context)
        a, b = first[name], second[name]
        if a is not None and b is not None:
            found.judged.append(Case(one.question_id, one.text, category, known[category], told, (a, b)))
    if not found.judged:
        raise UsageError(f"no question has two answers: {' and '.join(map(str, found.failed))} hold errors")
    return found


def _answers(path: Path) -> dict[str, Answered | None]:
    """Return the answers by question; None stands for an error in place of one."""
    given: dict[str, Answered | None] = {}
    for number, row in enumerate(validated(read_rows(path), _Answer, path), 1):
        name = row.question_id if row.response_id is None else row.response_id
        if row.error and row.response is None:
            given.setdefault(str(name), None)
            continue
        text = row.text if row.response is None else row.response
        if name is None or text is None:
            raise UsageError(
                f"{path}, record {number}: an answer has question_id and text, or response_id and response"
            )
        given[str(name)] = Answered(name if row.answer_id is None else row.answer_id, text)
    return given


def _captions(path: Path) -> dict[str, str]:
    told = {}
    for row in validated(read_rows(path), _Context, path):
        caption = row.caption if isinstance(row.caption, str) else "\n".join(row.caption)
        told[row.video or row.image or ""] = caption
    return told


def _context(question: _Question, captions: Mapping[str, str], path: Path | None) -> str:
    name = question.video or question.image or ""
    if name not in captions:
        raise UsageError(f"{path}: no context for {name!r} of question {question.question_id}")
    return captions[name]


def _rules(path: Path) -> dict[str, Rule]:
    rules = read_json(path)
    if not isinstance(rules, dict):
        raise UsageError(f"{path}: expected an object from category to rule, got {type(rules).__name__}")
    return dict(zip(rules, validated(rules.values(), Rule, path), strict=True))


def _category(question: _Question, rules: Mapping[str, Rule], path: Path) -> str:
    """Return the rule's name: with the prefix of LLaVA-Bench as both scripts write it, bare, or the default."""
    names = (_PREFIX + question.category, question.category, _DEFAULT)
    name = next((name for name in names if name in rules), None)
    if name is None:
        raise UsageError(f"{path}: no rule for category {question.category!r}; there are {', '.join(rules)}")
    return name
