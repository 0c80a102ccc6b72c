"""Scripts for whole runs: a planner that calls what it is told, and an observer that reads the frame codes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from tests.scripted_server import (
    calls,
    judges,
    labelled_images,
    must_call,
    routes,
    says,
    step_of,
    texts,
)

_DIGITS = re.compile(r"[\d.:]+")


def clip_look(start_s: float, end_s: float, question: str = "What happens?") -> tuple[str, dict[str, Any]]:
    """Return a call of `clip`."""
    return "clip", {"start_s": start_s, "end_s": end_s, "question": question}


def observation(*, found: bool | None = True, times: Sequence[float] = (), what: str = "seen") -> str:
    """Return an observer's reply."""
    sightings = [{"time_s": t, "text": None, "box": [0, 0, 500, 500]} for t in times]
    return json.dumps({"found": found, "what": what, "sightings": sightings, "confidence": 0.9})


def answer(**changed: Any) -> tuple[str, dict[str, Any]]:
    """Return a planner's answer."""
    args: dict[str, Any] = {
        "found": "yes",
        "answer": "Something is to be seen.",
        "claims": [{"text": "It is seen.", "ledger": ["L1"], "time_s": 2.0}],
        "spans": [{"start_s": 2.0, "end_s": 3.0}],
        "confidence": 0.9,
    }
    return "answer", {**args, **changed}


def code_looks(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a planner's request tells of looks that code decided on."""
    notes = re.findall(r"Code looked here, because [^\n]+:\n<notes>\n(.*?)\n</notes>", texts(body), re.DOTALL)
    return [json.loads(line) for text in notes for line in text.splitlines()]


class Script:
    """Plays turns of the planner in order, the last one when it has to answer.

    Routes and looks are always the same. Words of an answer that are no claim get the verdict `worded`.

    Args:
        *turns: The calls of each turn.
        verdicts: Verdicts on claims in order, the last one over and over.
        worded: Verdict on the words of an answer; None judges them like a claim.
        look: The observer's reply; None replies with a sighting at the first frame shown.
        route: What the question is sorted as.
    """

    def __init__(
        self,
        *turns: Sequence[tuple[str, dict[str, Any]]],
        verdicts: Sequence[str] = ("supported",),
        worded: str | None = "supported",
        look: str | None = None,
        route: dict[str, Any] | None = None,
    ) -> None:
        self.turns, self.verdicts, self.look = list(turns), list(verdicts), look
        self.worded = worded
        self.route = routes() if route is None else route
        self.planned = self.judged = 0

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a request."""
        step = step_of(body)
        if step == "route":
            return self.route
        if step == "describe":
            return says(json.dumps({"scenes": [{"start_s": 0, "end_s": 8, "what": "A bar moves."}]}))
        if step == "plan":
            last = must_call(body) == "answer"
            turn = self.turns[-1 if last else min(self.planned, len(self.turns) - 1)]
            self.planned += 1
            return calls(*turn)
        if step == "look":
            return says(self.look or observation(times=[labelled_images(body)[0][0]]))
        if step == "verify":
            return judges(
                body, lambda claim: self._judge_words() if self.is_words(claim) else self._judge(claim)
            )
        pytest.fail(f"nobody asks for a {step}")

    def is_words(self, claim: str) -> bool:
        """Tell whether a claim is the words of an answer; code may have written its times as labels."""
        if self.worded is None:
            return False
        drafts = [args for turn in self.turns for name, args in turn if name == "answer"]
        said = {
            _DIGITS.sub("", draft["answer"])
            for draft in drafts
            if draft["found"] == "yes" and not draft.get("parts")
        }
        claims = {_DIGITS.sub("", text["text"]) for draft in drafts for text in draft["claims"]}
        return _DIGITS.sub("", claim) in said - claims

    def _judge_words(self) -> dict[str, Any]:
        return {"why": "because", "verdict": self.worded, "confidence": 0.8}

    def _judge(self, claim: str) -> dict[str, Any]:
        verdict = self.verdicts[min(self.judged, len(self.verdicts) - 1)]
        self.judged += 1
        return {"why": "because", "verdict": verdict, "confidence": 0.8}


class Counted:
    """Plays a script and counts tokens as a greedy server would: every reply is as long as it may be.

    Args:
        script: The script.
        frame_tokens: Prompt tokens of a picture.
        reply_tokens: Longest reply; None uses all that a request allows.
        thoughts: Tokens of thought in a reply of the planner.
    """

    def __init__(
        self, script: Script, *, frame_tokens: int = 256, reply_tokens: int | None = 10, thoughts: int = 0
    ) -> None:
        self.script, self.frame_tokens = script, frame_tokens
        self.reply_tokens, self.thoughts = reply_tokens, thoughts
        self.spent: list[dict[str, int]] = []

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a request and write the bill."""
        tools = json.dumps(body.get("tools", []))
        prompt = len(texts(body) + tools) // 4 + self.frame_tokens * len(labelled_images(body))
        most = body.get("max_tokens", 1_000_000)
        reply = most if self.reply_tokens is None else min(most, self.reply_tokens)
        thoughts = min(self.thoughts, reply) if step_of(body) == "plan" else 0
        self.spent.append({"prompt": prompt, "completion": reply, "thinking": thoughts})
        usage = {"prompt_tokens": prompt, "completion_tokens": reply, "total_tokens": prompt + reply}
        details = {"completion_tokens_details": {"reasoning_tokens": thoughts}}
        return {**self.script(body), "usage": {**usage, **details}}

    def total(self, name: str) -> int:
        """Return the sum of one item of the bills."""
        return sum(bill[name] for bill in self.spent)
