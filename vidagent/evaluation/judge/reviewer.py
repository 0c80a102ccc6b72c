"""Asks the judge about each question in both orders, and writes each review at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vidagent.agents.direct.vlm import VLM
from vidagent.evaluation.judge.files import Answered, Case
from vidagent.evaluation.judge.scores import Pair, averaged, read_scores
from vidagent.evaluation.result_log import Log
from vidagent.evaluation.workers import side_by_side

_SYSTEM = "You are a helpful and precise assistant for checking the quality of the answer."
_TRIES = 3
_ORDERS = ((0, 1), (1, 0))


@dataclass(frozen=True, slots=True)
class Judge:
    """A language model that scores pairs of answers.

    Args:
        model: Whom to ask.
        max_tokens: Most tokens of a reply.
        temperature: Randomness of a reply.
    """

    model: VLM
    max_tokens: int
    temperature: float

    async def review(self, number: int, case: Case) -> dict[str, Any] | None:
        """Return the line of a question, or None where the judge gives no two scores in three replies.

        Each order is asked about; `tuple` has the means, `orders` what was said in each.

        Raises:
            ModelError: If the judge cannot be reached, refuses or fails.
        """
        orders: list[dict[str, Any]] = []
        for order in _ORDERS:
            first, second = (case.answers[place] for place in order)
            told = await self._scored(case, first, second)
            if told is None:
                return None
            orders.append({"first": order[0] + 1, "content": told[0], "tuple": list(told[1])})
        straight, swapped = (tuple(one["tuple"]) for one in orders)
        return {
            "id": number,
            "question_id": case.question_id,
            "answer1_id": case.answers[0].id,
            "answer2_id": case.answers[1].id,
            "category": case.category,
            "content": orders[0]["content"],
            "tuple": list(averaged(straight, swapped)),
            "orders": orders,
            "judge": self.model.name,
        }

    async def _scored(self, case: Case, first: Answered, second: Answered) -> tuple[str, Pair] | None:
        for _ in range(_TRIES):
            reply = await self.model.ask(
                prompt(case, first, second),
                system=_SYSTEM,
                max_tokens=self.max_tokens,
                temperature=self.temperature,
            )
            scores = read_scores(reply.text, case.rule.role)
            if scores is not None:
                return reply.text, scores
        return None


def prompt(case: Case, first: Answered, second: Answered) -> str:
    """Return the judge's prompt, word for word as in the scripts of LLaVA and NeVA."""
    role = case.rule.role
    context = "" if case.context is None else f"[Context]\n{case.context}\n\n"
    return (
        f"{context}[Question]\n{case.question}\n\n"
        f"[{role} 1]\n{first.text}\n\n[End of {role} 1]\n\n"
        f"[{role} 2]\n{second.text}\n\n[End of {role} 2]\n\n"
        f"[System]\n{case.rule.prompt}\n\n"
    )


async def review_all(
    cases: Sequence[Case], judge: Judge, log: Log, concurrency: int, tell: Callable[[Case, Pair | None], None]
) -> list[Case]:
    """Review the questions that are not reviewed yet, at most `concurrency` at a time.

    Returns:
        The questions without a usable reply; they are not in the file, and are asked about the next time.

    Raises:
        ModelError: If the judge cannot be reached, refuses or fails; what was judged until then is kept.
    """
    left = [one for one in enumerate(cases, 1) if str(one[1].question_id) not in log.done]
    unread: list[Case] = []

    async def work(one: tuple[int, Case]) -> None:
        number, case = one
        review = await judge.review(number, case)
        if review is None:
            unread.append(case)
            tell(case, None)
        else:
            log.add(review)
            tell(case, (review["tuple"][0], review["tuple"][1]))

    await side_by_side(left, work, concurrency)
    return unread
