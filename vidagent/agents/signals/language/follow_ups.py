"""Rules that rewrite follow-up questions so that they stand alone.

`And right after that?` becomes `What text is shown right after 37.880 s?` if the last answer ended there. A question
that matches no rule is unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vidagent.agents.signals.language.intent import names_time, understand
from vidagent.agents.signals.language.wording import quotable

BESIDE = re.compile(r"\bright (after|before) (\d+(?:\.\d+)?) s\b")
"""Phrase that asks what comes right before or after a time."""

_MAX_TEXT_LENGTH = 80
_QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]+)[\"“”„«»]")
_NAMED = re.compile(
    r"\b((?:small )?text|QR code|bar ?code|code|title|caption|words?|sign) [\"“„«]([^\"“”„«»]+)[\"”“»]"
)
_SPAN = re.compile(r"(\d+\.\d+)-(\d+\.\d+) s")
_LEAD = re.compile(r"^(?:(?:and|but|so|ok|okay|now|then|well|also)\b[\s,]*)+")
_FILLER = re.compile(
    r"\b(?:what|how|about|the|text|code|qr|bar|title|caption|word|words|of|is|with|too|quoted)\b|\W"
)
_IT = re.compile(r"\b(?:it|that one|this one|that text|this text|the text|that code|this code|the code)\b")
_WHAT = r"(?:what (?:comes|came|happens|happened|follows|followed|do we see|(?:text )?(?:is|was)(?: shown| seen)?) ?)?"
_CLOSELY = r"(?:(?:right|just|directly|immediately|shortly) )?"
_AFTER = re.compile(
    rf"^{_WHAT}{_CLOSELY}(?:after|afterwards|thereafter|next)(?: (?:that|it|this|then))?(?: one)?$|"
    r"^what(?:'s| is| comes)? next$|^what (?:then|follows)$|^$"
)
_BEFORE = re.compile(rf"^{_WHAT}{_CLOSELY}before(?: (?:that|it|this|then))?$")
_SAYS = re.compile(
    r"^what (?:does|did|do) (?:it|that|this|they|the (?:text|screen|sign|picture)) (?:say|read)\b|"
    r"^what (?:is|was|'s) (?:written|read|shown|on (?:the )?screen)(?: (?:there|then|at that (?:time|moment|point)))?$|"
    r"^what else (?:is|was) (?:written|read|shown)(?: there| then)?$"
)
_LENGTH = re.compile(r"\bhow long\b|\bfor how (?:long|many seconds)\b|^duration$|\bhow many seconds\b")
_AGAIN = re.compile(
    r"\bagain\b|\blater\b|^when next$|\bnext time\b|^when (?:is|does) (?:it|that|this) (?:next|shown next)|"
    r"\bcome back\b|\breturns?\b"
)
_EARLIER = re.compile(r"\b(?:earlier|before)\b")
_GONE = re.compile(
    r"\b(?:disappears?|vanish(?:es)?|away|gone|ends?|stops?)\b|^(?:un)?till? when\b|^until when\b"
)
_WHERE = re.compile(r"^where\b")
_OFTEN = re.compile(r"\bhow often\b|\bhow many times\b")
_WHEN = re.compile(r"^(?:when|at what time|at which time|since when)\b")
_BARE = frozenset(
    "a about again all already another any anywhere appear appears appeared at away back be become been before can "
    "code come comes did disappear disappears displayed do does duration earlier end ends ever exactly first for gone "
    "go goes had has have how in is it later legible long many moment next of often on once one or picture present "
    "readable return returns same screen second seconds see seen show shown shows since somewhere start starts begin "
    "begins still stay stays stop stops text that the there this till time times to total until up vanish vanishes "
    "video visible was we what when where which written you".split()
)
"""Words that do not change the subject of a follow-up."""
_ELSEWHERE = re.compile(r"\bthe video\b|\b(?:where|what)\b.*\bgo(?:es)?\b")
_WITHIN = re.compile(r"\b(?:after|before) \d+(?:\.\d+)? s\b")


Spans = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class _Turn:
    """A turn of the conversation: question, answer and where the answer was seen."""

    question: str
    status: str
    answer: str
    spans: Spans

    @property
    def thing(self) -> str | None:
        """Subject of the turn: the text its question quotes, the one its answer names, or the answer as read."""
        answered = self.status == "answered"
        for text in (self.question, self.answer) if answered else (self.question,):
            if named := _NAMED.search(text):
                return f'{named[1]} "{named[2]}"'
            if quoted := _QUOTED.search(text):
                return f'text "{quoted[1]}"'
        reading = understand(self.question).signal == "reading" and not BESIDE.search(self.question)
        read = answered and reading and 0 < len(self.answer) <= _MAX_TEXT_LENGTH
        return f'text "{quotable(self.answer)}"' if read else None

    @property
    def marks_end(self) -> bool:
        """Whether its spans mark where the thing has disappeared."""
        return "disappear" in self.question


@dataclass(frozen=True, slots=True)
class _Last:
    """Context that the earlier turns provide.

    Args:
        question: The last question.
        spans: Spans of the last answer.
        thing: The last subject, worded for use in a question, such as `text "X"`; None if there is none.
        shown: Spans that show it.
    """

    question: str
    spans: Spans
    thing: str | None
    shown: Spans


def restated(question: str, earlier: str) -> str:
    """Rewrite a question so that it stands alone.

    Args:
        question: The question as the user asked it.
        earlier: Earlier turns, one per paragraph, as in the `earlier` block of a prompt.
    """
    last = _last(earlier)
    if last is None:
        return question
    low = " ".join(_QUOTED.sub(" QUOTED ", question).casefold().replace("’", "'").split())
    low = _LEAD.sub("", low.rstrip(" ?!.")).strip()
    if "quoted" in low:
        return _for_other_text(question, low, last)
    if names_time(low):
        return _IT.sub(f"the {last.thing}", question, count=1) if last.thing else question
    return next(_readings(low, last), question)


def _readings(low: str, last: _Last) -> Iterator[str]:
    """Yield possible meanings of a follow-up that names no text or time, the likeliest first."""
    if last.spans:
        (start_s, first_end_s), (_, end_s) = last.spans[0], last.spans[-1]
        if _AFTER.search(low):
            yield f"What text is shown right after {end_s:.3f} s?"
        if _BEFORE.search(low):
            yield f"What text is shown right before {start_s:.3f} s?"
        if _SAYS.search(low):
            yield f"What is written at {(start_s + first_end_s) / 2:.3f} s?"
    if last.thing is not None and not _ELSEWHERE.search(low) and set(re.findall(r"\w+", low)) <= _BARE:
        yield from _about_thing(low, last.thing, last)


def _about_thing(low: str, thing: str, last: _Last) -> Iterator[str]:
    """Yield possible meanings of a follow-up about the subject of the last question."""
    if last.shown and _AGAIN.search(low):
        yield f"When does the {thing} appear after {last.shown[-1][1]:.3f} s?"
    if last.shown and _EARLIER.search(low):
        yield f"When does the {thing} appear before {last.shown[0][0]:.3f} s?"
    within = None if BESIDE.search(last.question) else _WITHIN.search(last.question)
    part = f" {within[0]}" if within else ""
    if _LENGTH.search(low):
        yield f"How long is the {thing} shown{part}?"
    if _GONE.search(low):
        yield f"When does the {thing} disappear{part}?"
    if _OFTEN.search(low):
        yield f"How many times is the {thing} shown?"
    if _WHERE.search(low):
        yield f"Where is the {thing} shown{part}?"
    if _WHEN.search(low):
        yield f"When does the {thing} appear{part}?"


def _for_other_text(question: str, low: str, last: _Last) -> str:
    """Repeat the last question for another text if the follow-up only names that text."""
    found = _QUOTED.search(question)
    if found is None or _FILLER.sub("", low):
        return question
    if _QUOTED.search(last.question) and not BESIDE.search(last.question):
        return _QUOTED.sub(lambda _: f'"{found[1]}"', last.question, count=1)
    return f'When does the text "{found[1]}" appear?'


def _last(earlier: str) -> _Last | None:
    """Parse the earlier turns; the subject comes from the latest turn that names one."""
    turns = [turn for paragraph in earlier.split("\n\n") if (turn := _turn(paragraph)) is not None]
    if not turns:
        return None
    last = turns[-1]
    thing = next((turn.thing for turn in reversed(turns) if turn.thing), None)
    about = [turn.spans for turn in turns if turn.thing == thing and turn.spans and not turn.marks_end]
    shown = _widest(about) if thing is not None and about else ()
    return _Last(last.question, shown if shown and last.thing == thing else last.spans, thing, shown)


def _widest(about: Sequence[Spans]) -> Spans:
    """Return the longest spans that overlap the last ones, as those of a reading cover one frame only."""
    low, high = about[-1][0][0], about[-1][-1][1]
    same = [spans for spans in about if spans[0][0] <= high and low <= spans[-1][1]]
    return max(same, key=lambda spans: spans[-1][1] - spans[0][0])


def _turn(paragraph: str) -> _Turn | None:
    """Parse a turn; return None if the paragraph has no question."""
    question = status = answer = ""
    spans: list[tuple[float, float]] = []
    for line in paragraph.splitlines():
        if line.startswith("asked: "):
            question = line.removeprefix("asked: ")
        elif match := re.match(r"answer \((\w+)\): (.*)", line):
            status, answer = match[1], match[2]
        elif line.startswith("seen at "):
            spans = [(float(start), float(end)) for start, end in _SPAN.findall(line)]
    return _Turn(question, status, answer, tuple(spans)) if question else None
