"""The words of a question that say what it is about, and those that only ask."""

from __future__ import annotations

import re
from typing import Final

from vidagent.agents.signals.language.supported_questions import KNOWN_WORDS

_ASKING: Final = (KNOWN_WORDS - {"total", "more"}) | frozenset(
    "above according am anything anywhere banner banners behind below beside big biggest bit bottom called can't "
    "center centre clearly cold corner corners current currently deep did different do does doing during else exact "
    "expensive far fast flash flashes get gets go goes got had he headed header headers heading headings headline "
    "headlines heavy here high his hot how's i'm if into isn't it's itself just kind know labeled labelled large "
    "largest late left let little longest lower marked middle much my name named near need now old on-screen onto "
    "opening other our over own pop pops quoted read readable reading reads right said say saying says screen seem "
    "set sets she should signposted small smallest so some something somewhere sort stand standing stands still "
    "strong such tall text texts than that's their them then they thing through tiny title titled titles today too "
    "top turn turns under upper use used very want warm way were what's whatever whats when's where's which's while "
    "who who's whom whose why wide will with word words would write writes writing written you're your".split()
)
"""Words that ask, or say where and how a text stands, and not what it is about."""
LOOSE: Final = frozenset(
    "account ad add added address advert advertisement announce announced announcement answer app arrive arrives ask "
    "asked asks badge bag banner bar belong belongs bill billboard blackboard board book bottle box browser building "
    "bullet bullets bus button buttons can caption captions card cards chart clip clock code codes column company "
    "cost costs cover credits date day dialog digit digits distance document domain door e-mail editor email entry "
    "envelope field file filename find form found give given gives graph handle hashtag header heading headline help "
    "hold holds icon include included item items jersey key label labels lecture letter letters line lines link links "
    "list listed lists located magazine mail make making map mention mentioned mentions menu message messages names "
    "need needed needs newspaper note notice number numbers package packet page pages panel parcel percent percentage "
    "phone plate play played plays popup poster presentation price prices print printed program question quiz receipt "
    "recipe row scoreboard screenshot see seen sentence shirt show sidebar sign signs slide slides sort speed state "
    "stated states store street sum tab table take takes talk tell tells temperature temperatures terminal ticket "
    "title trailer truck tutorial type url value values van version wall web webpage website weight whiteboard window "
    "work works year".split()
)
"""Words that may stand on screen, but are mostly said of what carries a text: nothing is missing where they are."""
_TIMES: Final = re.compile(
    r"\b(?:at|after|before|until) [\d:.]+|\b(?:between|from) [\d:.]+.*?\b(?:and|to|until) [\d:.]+"
)


def content_words(question: str) -> list[str]:
    """Return a question's own words: those that ask for no form, size, place or order, and say what it is about."""
    words = re.findall(r"[^\W_]+(?:'[^\W_]+)?", _TIMES.sub(" ", question))
    bare = (word.removesuffix("'s") for word in words if word not in _ASKING)
    return [word for word in dict.fromkeys(bare) if word not in _ASKING and (len(word) > 2 or word.isdigit())]


def strict_words(question: str) -> list[str]:
    """Return those of its own words that a text must have to answer a question."""
    return [word for word in content_words(question) if word not in LOOSE]
