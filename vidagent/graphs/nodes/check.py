"""Ask about claims: several in one request over the union of their frames, and requests side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vidagent.agents.client.client import ReplyError
from vidagent.agents.prompting.messages import ClaimToCheck, verify_many_messages, verify_messages
from vidagent.agents.prompting.replies import Judged, Judgement, Judgements
from vidagent.errors import BudgetSpent, ToolError
from vidagent.graphs.budget import StepMeter
from vidagent.graphs.evidence.ledger import SAME_FRAME_S
from vidagent.graphs.evidence.transcript_lines import Line
from vidagent.graphs.state import Check, Run
from vidagent.images.shown_frame import ShownFrame
from vidagent.text import counted
from vidagent.tools.answer import Claim
from vidagent.types import Box
from vidagent.video.clock import format_time, names

FEWEST_KEPT = 5
"""Frames that each claim keeps if those of all do not fit in one request: a stretch's edges, outside, middle."""
_MOST_LISTED = 12
_MOST_CLAIMS = 24
"""Most claims in one request: a verdict takes about 75 tokens, and a reply has 2,048."""
_MARGIN = 0.5
"""Share of a box's sides that a crop of it shows beyond it, on each side."""


@dataclass
class Asked:
    """A claim, its evidence, and its verdict once there is one.

    Args:
        claim: The claim.
        text: Its text as asked.
        stills: Its pictures, the most telling first.
        lines: Words spoken at its time.
        part_s: The start and the end of the part of the answer that it is a sentence of; None for a claim.
        least: How many pictures it keeps if those of all claims do not fit in one request.
        of_all: Whether it is about the pictures of all the others together.
        leaf: JSON Pointer of the value of the data that it states, if it does.

    Attributes:
        verdict: The verdict; None until it is given.
        why: The reason for it.
        confidence: From 0 to 1.
        judged: The pictures that the verdict is about.
        sent: All pictures of the request.
        given: The verdicts that it got in this check.
        best: The picture shown as evidence.
    """

    claim: Claim
    text: str
    stills: list[ShownFrame]
    lines: Sequence[Line]
    part_s: tuple[float, float] | None = None
    least: int = FEWEST_KEPT
    of_all: bool = False
    leaf: str | None = None
    verdict: Judged | None = None
    why: str = ""
    confidence: float = 0.0
    given: list[Check] = field(default_factory=list)
    judged: list[ShownFrame] = field(default_factory=list)
    sent: Sequence[ShownFrame] = ()
    best: ShownFrame | None = field(init=False)

    def __post_init__(self) -> None:
        """Take the most telling picture as evidence."""
        self.best = self.stills[0] if self.stills else None

    @property
    def at_s(self) -> float:
        """The time that shows it best."""
        if (shown := self.shown) is not None:
            return shown.time_s
        return self.telling_line.start_s if self.lines else self.claim.time_s or 0.0

    @property
    def notes(self) -> str:
        """The words spoken at its time, one line each."""
        return "\n".join(line.fact for line in self.lines)

    @property
    def telling_line(self) -> Line:
        """The line that shares most words with it, of several the nearest; there must be one."""
        return max(self.lines, key=lambda line: line.likeness(self.claim.text))

    @property
    def shown(self) -> ShownFrame | None:
        """The picture shown as evidence; of a claim that quotes a text on screen, one from the time of that text."""
        line = self.telling_line if self.lines else None
        if line is None or not line.is_shown or line.text not in self.claim.text:
            return self.best
        inside = [still for still in self.stills if line.distance(still.time_s, still.time_s) <= SAME_FRAME_S]
        return self.best if self.best in inside else next(iter(inside), None)

    def use(self, checks: Iterable[Check]) -> None:
        """Take the verdict of an earlier check of the same claim by the same evidence, if there was one."""
        for check in checks:
            if self._key() == (check["claim"].casefold(), check["refs"], check["words"]):
                self.verdict, self.why, self.confidence = check["verdict"], check["why"], check["confidence"]
                self.judged = self.stills
                self._show(check["best_s"])

    def give(self, verdict: Judged, why: str, confidence: float, best_s: float | None = None) -> None:
        """Record a new verdict, and the frame that shows it best."""
        self.verdict, self.why, self.confidence = verdict, why, confidence
        self._show(best_s)
        refs = [still.ref for still in self.stills]
        self.given.append(
            Check(
                claim=self.claim.text,
                refs=refs,
                words=self.notes,
                verdict=verdict,
                why=why,
                confidence=confidence,
                best_s=best_s,
            )
        )

    def _show(self, best_s: float | None) -> None:
        """Take the picture of this time as evidence; none, if no picture is said to show whether it is so.

        It may be one that was sent for another claim, between those of this one.
        """
        if self.verdict == "cannot_tell" and best_s is None:
            self.best = None
        times = [still.time_s for still in self.judged]
        between = [still for still in self.sent if times and min(times) <= still.time_s <= max(times)]
        shown = (*self.judged, *between)
        self.best = next(
            (one for one in shown if best_s is not None and names(best_s, one.time_s)), self.best
        )

    def refusal(self) -> dict[str, object]:
        """Return what the planner is told: the claim, the frames it was judged by, and what was missing."""
        times = sorted({round(still.time_s, 3) for still in self.judged})
        told: dict[str, object] = {"claim": self.claim.text, "verdict": self.verdict, "why": self.why}
        if self.part_s is not None:
            told["part_s"] = [round(time_s, 3) for time_s in self.part_s]
        if self.leaf is not None:
            told["path"] = self.leaf
        if len(times) > _MOST_LISTED:
            told["frames"] = f"{len(times)} from {times[0]:.3f} s to {times[-1]:.3f} s"
        elif times:
            told["frames_s"] = times
        return told

    def _key(self) -> tuple[str, list[str], str]:
        return self.claim.text.casefold(), [still.ref for still in self.stills], self.notes


async def ask_all(run: Run, question: str, asked: Sequence[Asked], meter: StepMeter) -> None:
    """Get a verdict on each claim that has none, in as few requests as the frames per call allow.

    Raises:
        BudgetSpent: If a budget does not allow all of them; the others have theirs.
    """
    abreast = asyncio.Semaphore(max(1, run.client.profile.look_concurrency))
    groups = _groups([item for item in asked if item.verdict is None], run.caps.frames)

    async def ask(place: int, group: list[Asked]) -> None:
        async with abreast:
            await _ask(run, question, group, meter, len(groups) - place)

    done = await asyncio.gather(*(ask(*one) for one in enumerate(groups)), return_exceptions=True)
    for error in done:
        if error is not None:
            raise error


async def decoded(run: Run, times_s: Sequence[float], meter: StepMeter) -> list[ShownFrame]:
    """Return the frames at these times, in order, without those that are damaged in the file."""
    if not times_s:
        return []
    async with run.decoding:
        before = run.video.frames_decoded
        try:
            stills, _ = await asyncio.to_thread(run.desk(lambda frames: frames).pictures, times_s)
        except ToolError:
            return []
        finally:
            meter.decoded(run.video.frames_decoded - before)
    return list(stills)


async def closer_crops(run: Run, time_s: float, box: Box, meter: StepMeter) -> list[ShownFrame]:
    """Return the part of a frame around a box at full resolution, or nothing if no frame is left for it."""
    info = run.video.info
    across, down = (round(_MARGIN * side) for side in (box[2] - box[0], box[3] - box[1]))
    wider = (
        max(0, box[0] - across),
        max(0, box[1] - down),
        min(info.width, box[2] + across),
        min(info.height, box[3] + down),
    )
    async with run.decoding:
        before = run.video.frames_decoded
        crops = await asyncio.to_thread(run.desk(lambda frames: frames).crops, time_s, [wider])
        meter.decoded(run.video.frames_decoded - before)
    return list(crops)


def _groups(asked: Sequence[Asked], most: int) -> list[list[Asked]]:
    """Put claims together whose frames fit in one request, as far as their verdicts fit in one reply."""
    if len(union(asked, most * len(asked))) > most:
        own = [item for item in asked if not item.of_all]
        for item in own:
            item.judged = item.stills[: min(max(item.least, most // len(asked)), most)]
        shown = set(union(own, most * len(own)))
        for item in asked:
            item.judged = item.judged or [still for still in item.stills if still in shown] or item.stills
    groups: list[list[Asked]] = []
    for item in sorted(asked, key=lambda item: (item.of_all, item.at_s)):
        item.judged = item.judged or item.stills
        fitting = (
            group
            for group in groups
            if len(group) < _MOST_CLAIMS and len(union([*group, item], most + 1)) <= most
        )
        group = next(fitting, None)
        if group is None:
            groups.append([item])
        else:
            group.append(item)
    return groups


def union(asked: Sequence[Asked], most: int) -> list[ShownFrame]:
    """Return the frames of claims, each once, at most so many: the first of each claim, then the second, and so on."""
    found: dict[ShownFrame, None] = {}
    for place in range(max((len(item.judged or item.stills) for item in asked), default=0)):
        for item in asked:
            found.update(dict.fromkeys((item.judged or item.stills)[place : place + 1]))
    return list(found)[:most]


async def _ask(
    run: Run, question: str, group: list[Asked], meter: StepMeter, sharers: int, *, alone: bool = False
) -> None:
    """Ask about a group of claims; those that a list of verdicts leaves out are asked about one by one."""
    wanted = union(group, run.caps.frames)
    own = meter.beside()
    try:
        stills = wanted[: own.grant(len(wanted), sharers)]
        for item in group:
            item.judged, item.sent = [still for still in item.judged if still in stills], stills
        seeing = [item for item in group if item.judged or item.lines]
        await (_ask_one if len(seeing) == 1 else _ask_many)(run, question, seeing, stills, own)
    finally:
        own.close()
    if len(seeing) < len(group):
        raise BudgetSpent("frames")
    for item in group if not alone else ():
        if item.verdict is None:
            await _ask(run, question, [item], meter, 1, alone=True)


async def _ask_one(
    run: Run, question: str, group: list[Asked], stills: Sequence[ShownFrame], meter: StepMeter
) -> None:
    item = group[0]
    _tell_claim(run, item)
    messages = verify_messages(question, item.text, _loaded(run, stills), item.notes)
    judged = await run.client.ask(
        "verify", messages, Judgement, meter, on_stream=run.thought_listener("verify")
    )
    _give(run, item, judged)


async def _ask_many(
    run: Run, question: str, group: list[Asked], stills: Sequence[ShownFrame], meter: StepMeter
) -> None:
    for item in group:
        _tell_claim(run, item)
    claims = [_claim(item) for item in group]
    notes = "\n".join(dict.fromkeys(line.fact for item in group for line in item.lines))
    messages = verify_many_messages(question, claims, _loaded(run, stills), notes)
    try:
        judged = await run.client.ask(
            "verify", messages, Judgements, meter, on_stream=run.thought_listener("verify")
        )
    except ReplyError as error:
        run.tell("note", f"the claims are checked one by one: {error}", "verify")
        return
    for verdict in judged.verdicts:
        if 1 <= verdict.claim <= len(group) and group[verdict.claim - 1].verdict is None:
            _give(run, group[verdict.claim - 1], verdict)


def _claim(item: Asked) -> ClaimToCheck:
    """Return a claim with its own stretch: of a claim with a time the frames of that, else all that it is judged by.

    A time in its words that is the label of one of its frames belongs to it.
    """
    times = [still.time_s for still in item.judged]
    if not times:
        return ClaimToCheck(item.text)
    own = [t for t in (item.claim.time_s, item.claim.end_s) if t is not None]
    bounds = [min(times, key=lambda shown_s: abs(shown_s - bound)) for bound in own]
    bounds = [*bounds, *(t for t in times if f"{t:.3f}" in item.text)] if own else times
    return ClaimToCheck(item.text, min(bounds), max(bounds))


def _loaded(run: Run, stills: Sequence[ShownFrame]) -> list[ShownFrame]:
    return [run.store.load(still) for still in sorted(stills, key=lambda still: (still.time_s, still.box_px))]


def _give(run: Run, item: Asked, judged: Judgement) -> None:
    item.give(judged.verdict, judged.why, judged.confidence, judged.best_s)
    line = f"{judged.verdict}: {judged.why or item.claim.text}"
    run.tell("verdict", line, "verify", claim=item.claim.text, verdict=judged.verdict, time_s=item.at_s)


def _tell_claim(run: Run, item: Asked) -> None:
    frames = f", {counted(len(item.judged), 'frame')}" if item.judged else ""
    line = f"checking at {format_time(item.at_s)}{frames}: {item.claim.text}"
    run.tell("claim", line, "verify", time_s=item.at_s)
