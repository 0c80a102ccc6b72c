"""Words of texts and queries, as the full-text search stores and asks for them."""

from __future__ import annotations

import re
import unicodedata

_QUOTED = re.compile(r"[\"“”„«»「」『』]([^\"“”„«»「」『』]+)[\"“”„«»「」『』]")
_UNSPACED = re.compile(r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])")
"""Characters of scripts that put no spaces between words; each counts as a word, and neighbours as a phrase."""
_MOST_PHRASES = 64
_WORD = re.compile(r"[^\W_]+")
_COMMON = frozenset(
    "a an and any are at be by can could did do does find for from had has have how i in is it its me moment moments "
    "of on one or part please scene show shown shows that the there these they this those to video videos was were "
    "what when where which who whom whose why will with word words you"
    " der die das den dem des ein eine und oder ist sind im in wo wann wer was welche welcher welches"
    " le la les un une des du de et ou est sont où quand qui que el los las una y o es son cuando donde quien".split()
)
"""Words that say nothing of what is looked for; a query of these alone is searched with all of them."""


def indexed(text: str) -> str:
    """Return a text with spaces around the characters of unspaced scripts, as the index stores it."""
    return _UNSPACED.sub(r" \1 ", unicodedata.normalize("NFKC", text))


def phrases_of(query: str) -> list[list[str]]:
    """Return what a query asks for: each quoted text as one phrase, then each other word that says something."""
    folded = unicodedata.normalize("NFKC", query)
    quoted = [_words(found) for found in _QUOTED.findall(folded)]
    runs = [_words(run) for run in _WORD.findall(_QUOTED.sub(" ", folded))]
    said = [run for run in runs if len(run) > 1 or run[0].casefold() not in _COMMON]
    chosen = [*quoted, *(said or ([] if quoted else runs))]
    return list({" ".join(phrase).casefold(): phrase for phrase in chosen if phrase}.values())[:_MOST_PHRASES]


def match_of(phrases: list[list[str]], *, prefixes: bool = False) -> str:
    """Return the FTS5 query (https://sqlite.org/fts5.html) of texts with any of the phrases.

    Args:
        phrases: The phrases, each a list of words.
        prefixes: Whether the last word of each may go on.
    """
    star = "*" if prefixes else ""
    return " OR ".join('"' + " ".join(phrase) + f'"{star}' for phrase in phrases)


def _words(text: str) -> list[str]:
    return _WORD.findall(indexed(text))
