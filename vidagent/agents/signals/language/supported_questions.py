"""Questions about cuts, codes, colours, movement and speech that the rules fully understand.

`How many shots does the player take?` contains a signal word but is about something else. So every word must be known;
questions about speech must not mention actors, or what comes before and after.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from vidagent.agents.signals.vision.colours import COLOUR_NAMES

Signal = Literal[
    "text", "reading", "code", "shots", "motion", "still", "colour", "facts", "outline", "speech", "none"
]
Ask = Literal["when", "what", "count", "how_long", "whether", "where", "who"]

_COMMON: Final = frozenset(
    "a an the this that these those of in on at to from by for with and or is are was were be been being does do did "
    "has have had there it its video clip film movie recording footage picture pictures screen image frame frames "
    "when what which where how many long often time times moment moments second seconds s sec minute minutes point "
    "first last final next every each all any ever once more than list find show give tell say me us please exactly "
    "precisely until till between during within about around after before near very end start beginning begin whole "
    "entire total altogether number count contain contains up as if exist exists anywhere see you can i one only "
    "mark name duration length longest".split()
)
_SHOWN: Final = frozenset(
    "appear appears appeared appearing show shows shown showing visible seen display displayed displays come comes "
    "disappear disappears vanish vanishes vanished go goes gone away start starts begin begins end ends stop stops "
    "stay stays remain remains last lasts occur occurs happen happens present out off hidden longer".split()
)
KNOWN_WORDS: Final = _COMMON | _SHOWN
"""Words that ask for something, and are not themselves what is asked about."""
_ORDINALS: Final = frozenset("second third fourth fifth sixth seventh eighth ninth tenth".split())
_KNOWN: Final[dict[Signal, frozenset[str]]] = {
    "shots": _ORDINALS
    | frozenset(
        "shot shots cut cuts scene scenes change changes changed hard new different begin begins start starts "
        "end ends occur occurs happen happens take takes place made consist consists camera edits their they "
        "switch".split()
    ),
    "code": _SHOWN
    | frozenset(
        "qr code codes bar barcode barcodes datamatrix data matrix aztec content contents contained say says read "
        "reads encode encodes encoded url link address text web site website payload written stand stands hold "
        "holds lead leads point points quoted information where".split()
    ),
    "colour": _SHOWN
    | frozenset(
        "colour color coloured colored gray fill fills filled filling background solid plain single completely "
        "entirely fully all turn turns turned turning become becomes became flash flashes cover covers covered "
        "nothing but empty uniform uniformly".split()
    ),
    "motion": _SHOWN
    | frozenset(
        "something anything thing things move moves moved moving movement movements motion object objects "
        "shape shapes activity some somewhere visible".split()
    ),
    "still": _SHOWN
    | frozenset(
        "still static motionless frozen freeze freezes stand stands nothing move moves moved moving movement "
        "motion completely entirely no without anything".split()
    ),
}
_UNANSWERED: Final[dict[Signal, tuple[Ask, ...]]] = {
    "shots": ("where", "how_long"),
    "motion": ("count",),
    "speech": ("where", "how_long"),
    "still": ("count", "where"),
    "colour": ("where",),
}
_COLOURS: Final = frozenset(COLOUR_NAMES)
_ACTORS: Final = re.compile(
    r"\b(?:who|whom|whose|why|man|men|woman|women|person|people|persons|boy|girl|child|children|kid|baby|he|she|him|"
    r"her|his|they|somebody|someone|anybody|anyone|player|speaker|narrator|actor|actress|teacher|reporter|singer|"
    r"crowd|driver|dog|cat|bird|horse|animal|car|truck|bus|boat|bike|bicycle|vehicle|train|plane|hand|hands|finger|"
    r"ball|cup|camera)\b"
)
_HEARD: Final = re.compile(
    r"\b(?:said|spoken|speak|speaks|speaking|speech|hear|hears|heard|talk|talks|talked|talking|uttered|pronounced|"
    r"mentioned|(?:he|she|they|anybody|anyone|somebody|someone|speaker|narrator) (?:ever )?mentions?)\b"
)
_SURFACE: Final = re.compile(
    r"\b(?:sign|signs|text|screen|labels?|buttons?|captions?|titles?|subtitles?|board|banner|poster|page|display|clock|"
    r"note|card|paper|headings?|headlines?|plate|sticker|window|box|slide|writing|menu|picture|frame|file|code)\b"
)
"""Where words stand that are not spoken."""
_ANYBODY: Final = re.compile(
    r"\b(?:he|she|they|somebody|someone|anybody|anyone|people|person|speaker|narrator|voice)\b"
)
_UNTOLD: Final = re.compile(
    r"\b(?:who|whom|whose|why|where|how|languages?|accent|loud\w*|sing|sings|sung|song|lyrics?|(?:which|what) words?)\b"
)
"""What is asked of speech that a transcript does not tell."""
_WHO: Final = re.compile(
    r"\b(?:who|(?:which|what) (?:speaker|voice|person))(?: first| last| also| ever)? (?:"
    r"(?:says?|said|mentions?|mentioned|is saying|was saying)\b|"
    r"(?:speaks?|spoke|talks?|talked|(?:is|was) (?:speaking|talking))"
    r"(?=\W*$| (?:about|at|between|from|after|before|until|first|last|in|during|near|there|here|then)\b))"
)
_MOST: Final = re.compile(r"\b(?:most|least|more|less|longest|shortest|loud\w*)\b")
_SIGN: Final = re.compile(
    r"\b(?:sign|signs|text|screen|labels?|buttons?|captions?|titles?|subtitles?|board|banner|poster|page|message|"
    r"display|clock|note|card|paper|headings?|headlines?|plate|sticker|window|box|line|it|slide|writing|words?|menu|"
    r"picture|frame|file)\b"
)
_RELATED: Final = re.compile(
    r"\b(?:before|after|while|whenever|when the|as soon as|next to|beside|left of|right of|above|below|under|"
    r"underneath|behind|follows?|following|preced\w+|instead|because|than)\b"
)
_EVENTS: Final = re.compile(
    r"\b(?:click\w*|press\w*|tap|taps|tapped|touch\w*|select\w*|highlight\w*|replac\w*|chang\w*|turns?|turned|becom\w*|"
    r"became|mov(?:e|es|ed|ing)|opens?|opened|closed?|closes|holds?|held|points?|pointed|enter(?:s|ed)?|wears?|drag\w*|"
    r"scroll\w*|rotat\w*|colou?r|font|bold|bigger|larger|smaller|blink\w*|flash\w*|fades?|faded|spell\w*|mean\w*|"
    r"letters|happen\w*|not|never|without|n't|except|missing|wrong|writes|write|deleted?|typed?|types)\b"
)
_GONE: Final = re.compile(r"\b(?:is|are|does|do)?\s*(?:no longer|not(?=.*\bany ?more\b)|any ?more)\b")
_SINCE: Final = re.compile(r"\b(?:before|after) \d[\d:.]*")


def in_scope(low: str, signal: Signal, ask: Ask) -> bool:
    """Return whether a question with a signal word is about that signal alone.

    Args:
        low: The question in lower case, with quoted texts replaced by `quoted`.
        signal: The signal its words suggest.
        ask: The kind of answer.
    """
    if signal == "none" or (ask == "what" and _asks_more(low, signal)) or ask in _UNANSWERED.get(signal, ()):
        return False
    if signal in {"facts", "outline"}:
        return True
    return _about_speech(low) if signal == "speech" else _only_known(low, signal)


def about_quoted(low: str) -> bool:
    """Return whether a question with a quoted text mentions no actors, events or looks, and nothing beside it."""
    plain = re.sub(r"\bbe (?:read|seen)\b", " ", _SINCE.sub(" ", _GONE.sub(" ", low)))
    if any(others.search(plain) for others in (_ACTORS, _EVENTS, _RELATED)):
        return False
    return not _COLOURS & set(re.findall(r"\w+", plain))


def is_spoken(low: str) -> bool:
    """Return whether a question is about words that are spoken, and not about words that stand somewhere."""
    if _HEARD.search(low) or asks_who(low):
        return not _SURFACE.search(low)
    return bool(re.search(r"\b(?:say|says|saying)\b", low)) and not _SIGN.search(low)


def asks_who(low: str) -> bool:
    """Return whether a question asks who says something, or who speaks."""
    return bool(_WHO.search(low))


def _about_speech(low: str) -> bool:
    """Return whether the question asks what is said, by whom, or if, when or how often; not beside what event."""
    if asks_who(low):
        if _MOST.search(low):
            return False
        low = _WHO.sub(" ", low, count=1)
    plain = _ANYBODY.sub(" ", _SINCE.sub(" ", re.sub(r"\bhow (?:many times|often)\b", " ", low)))
    return not any(others.search(plain) for others in (_UNTOLD, _ACTORS, _EVENTS, _RELATED))


def _asks_more(low: str, signal: Signal) -> bool:
    """Return whether the question asks for more than the signal shows, as in `What happens in the first shot?`."""
    asks_what = re.search(r"\b(?:what|which|how)\b", low)
    if signal == "colour":
        return bool(asks_what and not re.search(r"\b(?:what|which) colou?rs?\b", low))
    return bool(asks_what and signal in {"shots", "motion", "still"})


def _only_known(low: str, signal: Signal) -> bool:
    plain = _GONE.sub(" ", re.sub(r"\b\d[\d:.]*(?:s|st|nd|rd|th)?\b", " ", low))
    words = re.findall(r"[a-z]+(?:'[a-z]+)?", plain)
    known = _COMMON | _KNOWN[signal] | (_COLOURS if signal == "colour" else frozenset())
    return all(word in known for word in words)
