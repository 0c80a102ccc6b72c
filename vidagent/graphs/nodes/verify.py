"""Verify a draft: check its claims against their frames, in fresh contexts that can veto them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vidagent.graphs.budget import StepMeter
from vidagent.graphs.evidence.claim_frames import claim_frames, evenly, whole_frames, with_labels
from vidagent.graphs.evidence.contradictions import contradicted
from vidagent.graphs.evidence.data import leaf_claims
from vidagent.graphs.evidence.grounding import words_of
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.evidence.parts import (
    claims_in,
    frames_each,
    in_drafts_order,
    most_telling,
    on_screen_at,
    proof_times,
)
from vidagent.graphs.evidence.sentences import sentences_of
from vidagent.graphs.evidence.transcript_lines import lines_for, words_only
from vidagent.graphs.nodes.check import FEWEST_KEPT, Asked, ask_all, closer_crops, decoded, union
from vidagent.graphs.part_lines import headline_sentences
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run, Update, Verified, refusal
from vidagent.graphs.strategies.gaps import DENIAL
from vidagent.images.shown_frame import ShownFrame
from vidagent.text import counted
from vidagent.tools.answer import Claim, Draft
from vidagent.types import Box

MAX_VETOES = 2
"""Most times a draft is sent back because one of its claims is not supported."""
MAX_PART_VETOES = 1
"""Most times a draft in parts is sent back: its parts that stand are kept."""
MAX_WORD_VETOES = 1
"""Most times a draft is sent back only for the words of its answer: its claims can be the answer."""
MAX_UNCLEAR = 1
"""Most times a draft is sent back only because frames that would show one of its claims are missing."""
_MOST_SENTENCES = 8
"""Most sentences of a "no" that are checked; a longer one is worded by code."""
_LONGEST_SENTENCE = 500
_SPREAD = 6
"""Frames spread over all looks by which a headline is judged that says that something is not so."""

_KEPT = (
    "all parts that are not listed here stand and are kept; put these right as `why` says, after another look where it "
    "is needed, and call `answer` with the headline and, as `parts`, only these, each of them whole; the same words "
    "over the same frames keep their verdict; of those that you leave out, the partial ones stay as they were and the "
    "others are dropped"
)
_UNSEEN = "no frame was looked at for it, or none at its time"
_UNCLEAR = "the frames looked at neither show it nor rule it out"


async def verify(progress: Progress, run: Run, meter: StepMeter) -> Update:
    """Check the claims of the draft; unsupported ones send it back to the planner a limited number of times.

    A verdict that was given on the same claim over the same pictures is used again. A claim on which its frames allow
    no verdict is asked about once more with closer ones, then the planner is told once which are missing, and then
    the claim passes as partly supported.
    """
    draft = progress.draft
    if draft is None:
        return {}
    claims = claims_of(draft, by_rules=run.client.profile.lacks("wording") or progress.kind == "speech")
    if not any(entry.look.stills for entry in progress.entries) and not draft.parts:
        claims = draft.claims
    carried = _carried(progress, draft)
    standing = {item["claim"] for item in carried if "part_s" not in item}
    claims = [claim for claim in claims if claim.text not in standing]
    parts = await _asked_parts(progress, run, draft, carried, meter)
    carried_stills = await _shown_of(run, carried, meter) if claims else []
    part_frames = _frames_of_parts(parts, carried_stills, progress.entries, run.caps.frames)
    asked = [*(_asked(progress, run, draft, claim, part_frames) for claim in claims), *parts]
    for leaf, claim in leaf_claims(draft, run.schema) if run.schema is not None else ():
        asked.append(_asked(progress, run, draft, claim, _PartFrames([], [], []), leaf))
    words = _words(progress, run, draft, asked)
    if run.client.profile.lacks("verify"):
        for item in asked:
            _leave_unchecked(item, draft)
        verified = [_verified(item, progress.entries) for item in asked]
        return {"verified": in_drafts_order([*verified, *carried], draft.parts), "stage": "verified"}
    if asked:
        run.tell("step", f"verifying {counted(len(asked), 'claim')}", "verify")
    try:
        await ask_all(run, progress.question, [*asked, *words], meter)
        unclear = [item for item in asked if item.verdict == "cannot_tell"]
        closer = [item for item in unclear if await _looks_closer(progress, run, draft, item, meter)]
        await ask_all(run, progress.question, closer, meter)
    finally:  # also where a budget cuts it off
        done = [item for item in asked if item.verdict is not None]
        meter.partial = {
            "verified": in_drafts_order(
                [*(_verified(item, progress.entries) for item in done), *carried], draft.parts
            ),
            "checks": [check for item in done for check in item.given],
            "worded": [check for item in words for check in item.given],
        }
    return {**meter.partial, **_sent_back(progress, asked, words)}


def claims_of(draft: Draft, *, by_rules: bool) -> list[Claim]:
    """Return what is to be checked of a draft beside its parts: its claims, and the sentences that no claim covers.

    These are those of an answer that says no, and of the headline of an answer in parts.

    Args:
        draft: The draft.
        by_rules: Whether its words are those of rules, or are about what is heard, so that no frame can show them.
    """
    if by_rules or (draft.found == "yes" and not draft.parts):
        return draft.claims
    sentences = headline_sentences(draft) if draft.parts else sentences_of(draft.answer)
    if len(sentences) > _MOST_SENTENCES or any(len(text) > _LONGEST_SENTENCE for text in sentences):
        return draft.claims
    claimed = {claim.text for claim in draft.claims}
    return [*draft.claims, *(Claim(text=text) for text in sentences if text not in claimed)]


@dataclass(frozen=True, slots=True)
class _PartFrames:
    """The frames by which what is said of all parts is judged.

    Args:
        firsts: The most telling frame of each part.
        own: The words of each part, and all its frames.
        looked_at: The whole frames of all looks, in order of time.
    """

    firsts: list[ShownFrame]
    own: list[tuple[set[str], list[ShownFrame]]]
    looked_at: list[ShownFrame]

    def telling(self, claim: Claim, most: int) -> tuple[list[ShownFrame], int]:
        """Return the frames for a claim, the most telling first, and how many of them it needs.

        They are a frame of each part, and all of the part most like the claim; one that says that something is not so
        is about all that was looked at.
        """
        words = words_of(claim.text)
        alike = sorted(self.own, key=lambda one: len(words & one[0]), reverse=True)
        spread = evenly(self.looked_at, _SPREAD) if DENIAL.search(claim.text) else []
        stills = dict.fromkeys([*self.firsts, *spread, *(still for _, stills in alike for still in stills)])
        return list(stills)[:most], len(self.firsts) + len(spread) + (len(alike[0][1]) if alike else 0)


def _frames_of_parts(
    parts: Sequence[Asked], carried: Sequence[ShownFrame], entries: Sequence[Entry], most: int
) -> _PartFrames:
    """Return the most telling frame of each part, with the very first and last if there is room, and the others.

    Parts that begin with the same words count once, and those that stand already with the frame that showed them best.
    """
    firsts = {item.part_s: item for item in reversed(parts) if item.stills}
    once = {item.claim.text.casefold(): item.stills for item in reversed(firsts.values())}
    own = [*once.values(), *([still] for still in carried)]
    shown = sorted((still for stills in own for still in stills), key=lambda still: still.time_s)
    ends = [*shown[:1], *shown[-1:]] if len(own) + 2 <= most else []
    candidates = dict.fromkeys([*ends, *(stills[0] for stills in own)])
    telling = evenly(sorted(candidates, key=lambda still: still.time_s), most)
    return _PartFrames(
        telling, [(words_of(text), stills) for text, stills in once.items()], whole_frames(entries)
    )


async def _shown_of(run: Run, carried: Sequence[Verified], meter: StepMeter) -> list[ShownFrame]:
    """Return the frames that showed these parts best; what was only heard has none."""
    times = sorted({item["time_s"] for item in carried if item["ref"] is not None})
    return await decoded(run, times, meter)


def _asked(
    progress: Progress,
    run: Run,
    draft: Draft,
    claim: Claim,
    part_frames: _PartFrames,
    leaf: str | None = None,
) -> Asked:
    """Choose the evidence of a claim, and take an earlier verdict over the same one.

    A claim about all parts of an answer is checked on the most telling frame of each, and all of the part most like it.
    """
    entries = progress.entries
    lines = lines_for(entries, claim)
    worded = words_only(entries, claim, lines)
    of_all = bool(part_frames.firsts) and claim.time_s is None and not claim.ledger
    if of_all:
        stills, least = part_frames.telling(claim, run.caps.frames)
    else:
        stills, least = [] if worded else claim_frames(entries, claim, draft, run.caps.frames), FEWEST_KEPT
    item = Asked(claim, with_labels(claim.text, stills, entries), stills, lines, least=least, leaf=leaf)
    if not stills and not lines:
        item.give("unsupported", _UNSEEN, 1.0)
    else:
        item.use(progress.checks)
    return item


def _words(progress: Progress, run: Run, draft: Draft, asked: Sequence[Asked]) -> list[Asked]:
    """Return the answer of a positive draft as one more thing to judge, on the frames of all its claims together.

    There is none if rules wrote it, code writes it from parts, or a claim says the same.
    """
    if draft.found != "yes" or draft.parts or run.client.profile.lacks("wording"):
        return []
    if any(item.claim.text.casefold() == draft.answer.casefold() for item in asked):
        return []
    stills = union(asked, run.caps.frames)
    lines = list(dict.fromkeys(line for item in asked for line in item.lines))
    text = with_labels(draft.answer, stills, progress.entries)
    said = Claim.model_construct(text=draft.answer)  # it may be longer than a claim
    item = Asked(said, text, stills, lines, of_all=True)
    item.use(progress.state.get("worded", []))
    return [item] if stills or lines else []


def _carried(progress: Progress, draft: Draft) -> list[Verified]:
    """Return the sentences of the draft's headline and parts that an earlier check let stand.

    A sentence shown only in part whose part comes again with frames that show it is checked on these.
    """
    if not draft.parts:
        return []
    headline = headline_sentences(draft)
    sentences = {
        (claim.text, claim.time_s, claim.end_s): part for part in draft.parts for claim in claims_in(part)
    }

    def stands(item: Verified) -> bool:
        if "part_s" not in item:
            return "leaf" not in item and item["claim"] in headline
        start_s, end_s = item["part_s"]
        part = sentences.get((item["claim"], start_s, end_s))
        return part is not None and (item["verdict"] == "supported" or not part.frames_s)

    return [item for item in progress.in_order if stands(item)]


async def _asked_parts(
    progress: Progress, run: Run, draft: Draft, carried: Sequence[Verified], meter: StepMeter
) -> list[Asked]:
    """Choose the frames of each part, spread over it, and decode them; each of its sentences is checked on them.

    The frames that a part names are among them. Words that stand on screen are shown by its frames, too; for what is
    only heard there are none.
    """
    known = {(item["claim"], *item["part_s"]) for item in carried if "part_s" in item}
    asked = [
        (part, claim, lines_for(progress.entries, claim))
        for part in draft.parts
        for claim in claims_in(part)
        if (claim.text, part.start_s, part.end_s) not in known
    ]
    looked_s = sorted({still.time_s for entry in progress.entries for still in entry.look.stills})
    number, frame_s = frames_each(len(draft.parts) + 1, run.caps.frames), run.video.info.frame_s
    times: dict[tuple[float, float | None], list[float]] = {}
    for part, claim, said in asked:
        by_words = words_only(progress.entries, claim, said)
        if not by_words or any(line.is_shown for line in said):
            most = max(1 if by_words else number, len(part.frames_s))
            times.setdefault((part.start_s, part.end_s), proof_times(part, most, frame_s, looked_s))
    stills = await decoded(run, sorted({time_s for one in times.values() for time_s in one}), meter)
    found = []
    for part, claim, said in asked:
        wanted = times.get((part.start_s, part.end_s), [])
        own = most_telling(part, on_screen_at(stills, wanted, frame_s)) if wanted else []
        item = Asked(claim, claim.text, own, said, (part.start_s, part.end_s or part.start_s))
        if not own and not said:
            item.give("unsupported", _UNSEEN, 1.0)
        else:
            item.use(progress.checks)
        found.append(item)
    return found


async def _looks_closer(progress: Progress, run: Run, draft: Draft, item: Asked, meter: StepMeter) -> bool:
    """Give a claim better frames than those that allowed no verdict; tell whether there are any."""
    if not item.stills or item.part_s is not None:
        return False
    stills = claim_frames(progress.entries, item.claim, draft, run.caps.frames, anywhere=True)
    box = _box(progress.entries, item.claim, item.stills[0].time_s)
    crops = await closer_crops(run, item.stills[0].time_s, box, meter) if box is not None else []
    known = {still.ref for still in item.stills}
    new = [still for still in (*crops, *stills) if still.ref not in known]
    if not new:
        return False
    item.stills = [*crops, *dict.fromkeys([*item.stills, *stills])][: run.caps.frames]
    item.text = with_labels(item.claim.text, item.stills, progress.entries)
    item.verdict, item.judged = None, []
    item.use([*progress.checks, *item.given])
    return item.verdict is None


def _sent_back(progress: Progress, asked: Sequence[Asked], words: Sequence[Asked]) -> Update:
    """Send the draft back for the claims or words that were refused, or for lack of frames that show the claims.

    A part of which some sentences stand goes on without the others. A planner that hands in again what was refused,
    with no frame more, has no other answer. Sentences of parts that are shown only in part go back once, too, to be put
    right; those of the headline do not, as it is judged by fewer frames than the parts that it sums up.
    """
    stand = {item.part_s for item in asked if item.part_s and item.verdict != "unsupported"}
    refused = [item for item in asked if item.verdict == "unsupported" and item.part_s not in stand]
    in_parts = progress.draft is not None and bool(progress.draft.parts)
    missing = [item for item in asked if item.verdict == "cannot_tell" and not in_parts]
    vetoes, unclear = progress.state.get("vetoes", 0), progress.state.get("unclear", 0)
    most = MAX_PART_VETOES if in_parts else MAX_VETOES if refused else MAX_WORD_VETOES
    refused += [item for item in words if item.verdict == "unsupported"]
    if in_parts:
        refused += [item for item in asked if item.part_s and item.verdict == "partial" and item.given]
    repeated = vetoes > 0 and not any(item.given for item in refused)
    vetoed = bool(refused) and vetoes < most and not repeated
    wanted = bool(missing) and not refused and unclear < MAX_UNCLEAR
    if progress.state.get("landing") or not (vetoed or wanted):
        return {"stage": "verified"}
    why = (
        _KEPT
        if in_parts
        else "these claims are not supported by their frames; look again, then answer"
        if vetoed
        else "these claims cannot be judged from their frames; look where `why` says, closer or at more frames, or "
        "leave them out, then answer"
    )
    reply = refusal(
        progress.state["draft_call"], why, claims=[item.refusal() for item in (*refused, *missing)]
    )
    counts = {"vetoes": vetoes + 1} if vetoed else {"unclear": unclear + 1}
    return {**counts, "draft": None, "history": [reply]}


def _verified(item: Asked, entries: Sequence[Entry]) -> Verified:
    """Return the claim after its check, with one of the verdicts of an answer.

    A claim whose looks contradict each other is at most partly supported.
    """
    verdict, why, confidence = item.verdict or "cannot_tell", item.why, item.confidence
    if verdict == "cannot_tell":
        verdict, why, confidence = "partial", f"{_UNCLEAR}: {why}" if why else _UNCLEAR, min(confidence, 0.5)
    elif verdict == "supported" and contradicted(entries, item.claim.ledger):
        verdict, why, confidence = "partial", "looks contradict each other here", min(confidence, 0.5)
    still = item.shown
    box = None if still is None else _box(entries, item.claim, still.time_s)
    verified = Verified(
        claim=item.claim.text,
        verdict=verdict,
        why=why,
        confidence=confidence,
        time_s=item.at_s,
        ref=None if still is None else still.ref,
        box_px=None if box is None else list(box),
    )
    if item.part_s is not None:
        verified["part_s"] = list(item.part_s)
    if item.leaf is not None:
        verified["leaf"] = item.leaf
    if item.lines:
        verified["line"] = item.telling_line.fact
    return verified


def _leave_unchecked(item: Asked, draft: Draft) -> None:
    """Pass a claim on unchecked; one without any frame looked at is still unsupported."""
    if item.verdict != "unsupported":
        item.verdict, item.confidence = "partial", draft.confidence
        item.why = "not checked: the profile leaves it out"


def _box(entries: Sequence[Entry], claim: Claim, time_s: float) -> Box | None:
    """Return the box in which the looks that the claim names saw it at that time."""
    for entry in entries:
        if entry.observation is None or (claim.ledger and entry.id not in claim.ledger):
            continue
        for sighting in entry.observation.sightings:
            if abs(sighting.time_s - time_s) < 1e-3 and sighting.box is not None:
                return entry.box_px(sighting)
    return None
