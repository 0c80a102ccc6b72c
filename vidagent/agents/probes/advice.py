"""Contradictions between findings and a profile, each with its remedy: a profile key, or a server flag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from vidagent.agents.probes.checks.pictures import sent_at_once
from vidagent.agents.probes.checks.thinking import OWN
from vidagent.agents.probes.finding import Finding
from vidagent.agents.profiles.schema import Profile
from vidagent.types import Step

_ENABLE = "chat_template_kwargs = {{ enable_thinking = {} }}"


@dataclass(frozen=True, slots=True)
class Advice:
    """One contradiction.

    Args:
        key: The profile key it concerns.
        found: What was found.
        mend: The remedy.
    """

    key: str
    found: str
    mend: str


class _Findings:
    """The findings by group and name."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self._outcomes = {(finding.group, finding.name): finding.outcome for finding in findings}

    def can(self, group: str, name: str) -> bool:
        return self._outcomes[group, name].value == "yes"

    def cannot(self, group: str, name: str) -> bool:
        return self._outcomes[group, name].value == "no"

    def facts(self, group: str, name: str) -> Mapping[str, Any]:
        return self._outcomes[group, name].facts


def advise(profile: Profile, findings: Sequence[Finding], context_tokens: int | None) -> list[Advice]:
    """Compare a profile with the findings.

    Args:
        profile: The profile.
        findings: The findings of all probes.
        context_tokens: The context length as the server reports it, or None.
    """
    found = _Findings(findings)
    advice = list(_context(profile, context_tokens))
    for rules in (_pictures, _videos, _thinking, _budgets, _tools, _typed, _cache):
        advice += rules(profile, found)
    return advice


def _context(profile: Profile, context_tokens: int | None) -> Iterator[Advice]:
    if context_tokens is not None and context_tokens < profile.context_tokens:
        yield Advice(
            "context_tokens",
            f"the profile has {profile.context_tokens:,}, the server takes {context_tokens:,}",
            f"context_tokens = {context_tokens}, or start the server with --max-model-len {profile.context_tokens}",
        )


def _pictures(profile: Profile, found: _Findings) -> Iterator[Advice]:
    most = found.facts("pictures", "several").get("most")
    if found.cannot("pictures", "several") and most is not None:
        sent = sent_at_once(profile)
        flag = f"--limit-mm-per-prompt '{{\"image\": {max(sent.values(), default=0)}}}'"
        for key, count in sent.items():
            if count > most:
                yield Advice(
                    key,
                    f"the profile has {count}, the server takes {most} pictures",
                    f"{key} = {max(most, 1)}, or start the server with {flag}",
                )
    refused = found.cannot("pictures", "by id") and "taken" not in found.facts("pictures", "by id")
    if profile.media.image_ids and refused:
        yield Advice("media.image_ids", "the server refuses ids of pictures", "image_ids = false")


def _videos(profile: Profile, found: _Findings) -> Iterator[Advice]:
    media = profile.media
    no_options = found.cannot("video", "options per request")
    instead = 'the form "images" in the place of'
    if media.per_request and no_options:
        also = f' and {instead} "frames"' if "frames" in media.forms.values() else ""
        yield Advice(
            "media.per_request",
            "the server refuses media_io_kwargs",
            f"start the server with --trust-request-mm-kwargs, or per_request = false{also}",
        )
    elif "frames" in media.forms.values() and found.cannot("video", "frames with times"):
        yield Advice("media.forms", "the server takes no frames as a video", f'{instead} "frames"')
    if "mp4" in media.forms.values() and found.cannot("video", "mp4"):
        yield Advice("media.forms", "the server takes no mp4", f'{instead} "mp4"')
    if media.per_request and found.cannot("video", "fps and num_frames") and not no_options:
        if found.facts("video", "fps and num_frames").get("form") == "one":
            if media.sampling == "both":
                yield Advice("media.sampling", "fps and num_frames exclude each other", 'sampling = "one"')
        elif found.can("video", "mp4"):
            yield Advice(
                "media.sampling",
                "the server ignores num_frames",
                '--media-io-kwargs \'{"video": {"video_backend": "opencv"}}\' makes it heed them',
            )


def _thinking(profile: Profile, found: _Findings) -> Iterator[Advice]:
    thinking = profile.thinking
    by_itself = found.facts("thinking", "thinks").get("by_itself", False)
    if thinking.can and found.cannot("thinking", "thinks"):
        parser = profile.serve.flags.get("reasoning-parser")
        mend = f", or start the server with --reasoning-parser {parser}" if parser else ""
        yield Advice("thinking.can", "no thought shows", f"can = false{mend}")
    if not thinking.can and by_itself:
        yield Advice("thinking.can", "the model thinks unasked, and no budget holds it", "can = true")
    by = found.facts("thinking", "can be switched off").get("by")
    if (thinking.can or by_itself) and by and by != OWN:
        yield Advice("thinking.off_body", f"what switches thinking off is {by}", _off(by))
    if thinking.can and found.cannot("thinking", "can be switched off"):
        steps = ", ".join(f'"{step}"' for step in get_args(Step))
        if set(thinking.steps) != set(get_args(Step)):
            yield Advice(
                "thinking.steps",
                "nothing switches thinking off",
                f"steps = [{steps}], so that each has its budget",
            )


def _budgets(profile: Profile, found: _Findings) -> Iterator[Advice]:
    thinking = profile.thinking
    if not (thinking.can and found.can("thinking", "thinks")):
        return
    native = found.can("thinking", "budget by the server")
    by = found.facts("thinking", "budget by the server").get("by", "")
    if thinking.budget_field and found.cannot("thinking", "budget by the server"):
        yield Advice(
            "thinking.budget_field",
            "the server holds no thought to a budget",
            "leave budget_field out, so that two phases do it, or start the server with "
            f"--reasoning-parser {_flag(profile, 'reasoning-parser')}",
        )
    if native and not thinking.budget_field:
        field = found.facts("thinking", "budget by the server")["field"]
        yield Advice(
            "thinking.budget_field",
            "the server itself holds thoughts to a budget",
            f'budget_field = "{field}"',
        )
    if native and "enable_thinking" in by:
        yield Advice(
            "thinking.on_body",
            "the server heeds a budget only where thinking is switched on",
            f"on_body = {{ {_ENABLE.format('true')} }}",
        )
    if thinking.two_phase and not native and found.cannot("thinking", "budget by two phases"):
        yield Advice("thinking.two_phase", "a closed thought is not continued", "two_phase = false")


def _tools(profile: Profile, found: _Findings) -> Iterator[Advice]:
    if profile.tool_calls != "native":
        return
    if found.cannot("tools", "auto"):
        other = "schema" if found.can("typed replies", "json_schema") else "text"
        parser = _flag(profile, "tool-call-parser")
        yield Advice(
            "tool_calls",
            "the server takes no tools",
            f'tool_calls = "{other}", or start the server with --enable-auto-tool-choice --tool-call-parser {parser}',
        )
        return
    if profile.tool_choice == "required" and found.cannot("tools", "required"):
        yield Advice("tool_choice", "the server does not require calls", 'tool_choice = "auto"')
    if profile.strict_tools and found.cannot("tools", "strict arguments"):
        yield Advice("strict_tools", "the server does not bind arguments", "strict_tools = false")
    unbound = profile.tool_choice == "required" and found.facts("tools", "required").get("bound") is False
    if not profile.strict_tools and unbound and found.can("tools", "strict arguments"):
        yield Advice(
            "strict_tools", "required calls are bound to their schema only if strict", "strict_tools = true"
        )


def _typed(profile: Profile, found: _Findings) -> Iterator[Advice]:
    named = found.can("tools", "named")
    if profile.structured == "json_schema" and found.cannot("typed replies", "json_schema"):
        other = "tool" if named else "prompt"
        yield Advice("structured", "the server does not hold replies to a schema", f'structured = "{other}"')
    if profile.structured == "tool" and found.cannot("tools", "named"):
        other = "json_schema" if found.can("typed replies", "json_schema") else "prompt"
        yield Advice("structured", "the server requires no call by name", f'structured = "{other}"')


def _cache(profile: Profile, found: _Findings) -> Iterator[Advice]:
    if found.cannot("tokens", "prefix cache"):
        yield Advice(
            "serve.flags",
            "each request reads its whole prompt anew",
            "start the server with --enable-prefix-caching",
        )


def _flag(profile: Profile, name: str) -> str:
    """Return the profile's value of a server flag, or a placeholder."""
    return str(profile.serve.flags.get(name) or "NAME")


def _off(by: str) -> str:
    if "enable_thinking" in by:
        return f"off_body = {{ {_ENABLE.format('false')} }}"
    return (
        'off_body = { reasoning_effort = "none" }' if "effort" in by else f'off_prompt = "{by.split()[-1]}"'
    )
