"""Sub-questions and claims that the embedded planner writes and the embedded observer and judge parse.

They are plain sentences, so another model could answer them too; the observer also accepts other wordings.
"""

from __future__ import annotations

import re

ANY_TEXT = "Read all text."
HIGHLIGHTED = "Read the text that is highlighted."
ANY_CODE = "Read every QR code and barcode."
QR_CODES = "Read every QR code."
ANY_CUT = "Is there a cut between these frames?"
ANY_MOTION = "Does anything move?"
STILL = "Is the whole picture still?"
FILL = "What colour fills the screen?"
CONNECT = "give its server with --base-url; docs/models.md says which model fits which machine"
"""How to get another model at the command line; other doors put their own words in its place."""
CANNOT_JUDGE = (
    "The embedded model knows text on screen, transcribed speech, codes, shots, movement and plain colours only, and "
    f"cannot judge this. A vision-language model can: {CONNECT}"
)
NO_SPEECH_MODEL = (
    "What is said is not known, as no speech model is set: set speech_model, such as VIDAGENT_SPEECH_MODEL=small, with "
    "pip install 'vidagent[speech]', or transcribe_url; docs/models.md says more"
)
NO_SUCH_SPEAKER = (
    "The transcript has no line of that speaker: what transcribes the speech has no such label, or none"
)
NO_SPEAKERS = (
    "who says it is not known, as what transcribes the speech tells no speakers; a transcription server that replies "
    "in diarized_json does (docs/models.md)"
)
ENGLISH_ONLY = (
    "The embedded model reads English questions only; in another language it can look for a text in quotation marks, "
    f"or read what stands at a time. A vision-language model knows other languages: {CONNECT}"
)

_DOUBLE = str.maketrans(dict.fromkeys('"“”„«»', "'"))
_SHOT, _NO_SHOT = "A new shot begins", "No new shot begins"
_SPEAKER = re.compile(r'" is said by speaker ([^"]+?)(?: at \d+\.\d{3} s)?\.$')
_TIME = re.compile(r"\bat (\d+(?:\.\d+)?) s\b")


def quotable(text: str) -> str:
    """Replace double quotation marks by single ones, so that the text can be quoted."""
    return text.translate(_DOUBLE)


def is_shown(text: str) -> str:
    """Ask whether a text is shown."""
    return f'Is the text "{quotable(text)}" shown?'


def on_background(colour: str) -> str:
    """Ask for the text on a background of one colour."""
    return f"Read the text on the {colour} background."


def is_filled(colour: str) -> str:
    """Ask whether one colour fills the screen."""
    return f"Is the screen filled with {colour}?"


def on_screen(text: str) -> str:
    """State that a text is on screen."""
    return f'"{quotable(text)}" is on screen.'


def is_said(text: str, speaker: str = "") -> str:
    """State that words are said, by whom if that is known."""
    return f'"{quotable(text)}" is said{_by(speaker)}.'


def shots(first: int, last: int) -> str:
    """State which shots something spans."""
    return f"Shot {first}." if first == last else f"Shots {first} to {last}."


def claim_text(text: str, time_s: float) -> str:
    """Claim that a text is shown."""
    return f'The text "{quotable(text)}" is shown at {time_s:.3f} s.'


def claim_code(text: str, time_s: float) -> str:
    """Claim that a code is shown."""
    return f'A code with the content "{quotable(text)}" is shown at {time_s:.3f} s.'


def claim_said(text: str, time_s: float, speaker: str = "") -> str:
    """Claim that words are said, by whom if that is known."""
    return f'"{quotable(text)}" is said{_by(speaker)} at {time_s:.3f} s.'


def speaker_in(claim: str) -> str | None:
    """Return the speaker whom a claim names, or None."""
    named = _SPEAKER.search(claim)
    return None if named is None else named[1]


def _by(speaker: str) -> str:
    return f" by speaker {speaker}" if speaker else ""


def claim_cut(time_s: float) -> str:
    """Claim that a shot begins."""
    return f"{_SHOT} at {time_s:.3f} s."


def claim_no_cut(time_s: float) -> str:
    """Claim that no new shot begins."""
    return f"{_NO_SHOT} at {time_s:.3f} s."


def denied(claim: str) -> str | None:
    """Return the statement that a claim denies, or None if the claim is positive."""
    return claim.replace(_NO_SHOT, _SHOT) if claim.startswith(_NO_SHOT) else None


def claim_fill(colour: str, time_s: float) -> str:
    """Claim that a colour fills the screen."""
    return f"The screen is filled with {colour} at {time_s:.3f} s."


def time_in(claim: str) -> float | None:
    """Return the last time in seconds that a claim names, or None."""
    times = _TIME.findall(claim)
    return float(times[-1]) if times else None
