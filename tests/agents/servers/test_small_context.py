"""Servers with a small context: texts are shortened until they fit, and a run that cannot go on ends typed."""

from __future__ import annotations

import dataclasses
import json

import pytest

import vidagent
from tests.agents.servers import families
from tests.agents.servers.families import FAMILIES
from tests.scripted_server import ScriptedServer, block_of, calls, says, step_of, texts, tool_names
from vidagent.serve.cli.app import run

pytestmark = pytest.mark.network

QUESTION = "What lies there, " + "and what is beside it " * 20 + "in the end?"
LOOKS = 8


class Wordy:
    """A model that babbles: the planner beside its calls, the observer in all that it may write.

    Args:
        family: The server.
        chars: Characters of one token.
    """

    def __init__(self, family, chars=4.0):
        self.family, self.chars, self.planned = family, chars, 0
        self.accepted, self.refused = [], 0

    def __call__(self, body):
        chars = len(texts(body)) + len(json.dumps(body.get("tools", [])))
        prompt = int(chars / self.chars) + 256 * families._pictures(body)
        total = prompt + body["max_tokens"]
        if total > self.family.context:
            self.refused += 1
            return families.refusal(400, self.words(body["max_tokens"], prompt))
        self.accepted.append(body)
        return self.reply(body)

    def words(self, reply, prompt):
        """Refuse in vLLM's words, which counts no further than the context."""
        context = self.family.context
        least = min(prompt, context + 1 - min(reply, context))
        return (
            f"This model's maximum context length is {context} tokens. However, you requested {reply} output "
            f"tokens and your prompt contains at least {least} input tokens, for a total of at least {context + 1}."
        )

    def reply(self, body):
        if step_of(body) == "plan":
            return self.plan(body)
        if step_of(body) == "look":
            seen = {"found": True, "what": "a ball lies there " * 100, "confidence": 0.9}
            return says(json.dumps({**seen, "sightings": [{"time_s": 1.0, "text": "word " * 60}] * 6}))
        return families._says(self.family, body)

    def plan(self, body):
        self.planned += 1
        looked = {
            "start_s": self.planned / 4,
            "end_s": 4 + self.planned / 4,
            "question": f"{self.planned}? " * 90,
        }
        call = ("clip", looked)
        if self.planned > LOOKS:
            claim = {"text": "A ball lies there.", "ledger": ["L1"], "time_s": None}
            call = ("answer", {"found": "yes", "answer": "A ball lies there.", "claims": [claim]})
        reply = calls(call)
        reply["choices"][0]["message"]["content"] = "Let me see. " * 300
        return reply


def served(context, chars=4.0, *, told=True):
    family = dataclasses.replace(FAMILIES["small context"], context=context)
    model = Wordy(family, chars)
    card = {
        "id": family.model,
        "object": "model",
        "owned_by": "vllm",
        **({"max_model_len": context} if told else {}),
    }
    return model, ScriptedServer(model, models=[family.model], routes={"/v1/models": {"data": [card]}})


@pytest.mark.parametrize("told", [True, False], ids=["context told", "context learned"])
@pytest.mark.parametrize("context", [4096, 8192])
def test_a_long_run_in_a_small_context_is_answered(clip, monkeypatch, context, told):
    monkeypatch.setenv("VIDAGENT_PROBE_SERVER", "true")
    model, server = served(context, told=told)
    with server:
        answer = vidagent.analyze_video(clip("h264").path, QUESTION, base_url=server.url)
    assert (answer.status, answer.answer) == ("answered", "A ball lies there.")
    assert model.refused <= (0 if told else 3)
    plans = [body for body in model.accepted if step_of(body) == "plan"]
    assert len(plans) == LOOKS + 1
    ledger = block_of(plans[-1], "ledger")
    assert all(f"L{number} clip" in ledger for number in range(1, LOOKS + 1))
    for body in plans:
        assert block_of(body, "question") == QUESTION
        assert set(tool_names(body)) == set(tool_names(plans[0])) > {"clip", "crop", "answer"}


def test_a_prompt_that_fits_in_no_form_ends_the_run_with_a_partial_answer(clip, capsys):
    model, server = served(4096, chars=1.0)
    with server:
        code = run(
            ["ask", str(clip("h264").path), "What lies there?", "--base-url", server.url, "--json", "-q"]
        )
    answer = json.loads(capsys.readouterr().out)
    assert code == 5
    assert (answer["status"], answer["budget"]["ended_by"]) == ("partial", "context")
    told = "The model's context ended the search. Nothing was found so far. No frame was looked at."
    assert answer["answer"].startswith(told)
    assert answer["coverage"]["seconds_seen"] == 0
    assert model.refused <= 6


def test_what_was_found_before_the_context_was_full_is_told(clip, monkeypatch):
    """A server whose context shrinks, as one does that is started anew."""
    model, server = served(8192)
    plan = model.plan

    def shrinking(body):
        if model.planned == 1:
            model.family = dataclasses.replace(model.family, context=1000)
        return plan(body)

    monkeypatch.setattr(model, "plan", shrinking)
    with server:
        answer = vidagent.analyze_video(clip("h264").path, "What lies there?", base_url=server.url)
    assert (answer.status, answer.budget.ended_by) == ("partial", "context")
    assert "Not verified: a ball lies there" in answer.answer
