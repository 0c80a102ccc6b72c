"""What the speech model in this process hears: errors in words and in their times, words where nobody speaks, CPU.

`python -m benchmarks.speech_words [--model FOLDER] [--videos FOLDER]` from the repository root, with espeak-ng: the
first thirty Harvard sentences (IEEE 1969) in several voices, at two speeds, alone and in noise and music, each as a
video with AAC sound, transcribed as `vidagent transcript` does. espeak-ng says when each word begins. Then sounds
without a word, and the videos of a folder: the words that are kept of them, and those that the model writes without
the voice detector and the thresholds of `agents/speech/whisper.py`.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from tests.media import espeak, whisper
from tests.media.speaking import film
from vidagent.agents.speech.whisper import Whisper
from vidagent.text import words_of
from vidagent.video.cache.video_cache import VideoCache
from vidagent.video.index.transcript import Stop, Transcript
from vidagent.video.index.video_index import Index
from vidagent.video.sound import MOST_S, RATE
from vidagent.video.video import Video

SENTENCES = """The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background.
It's easy to tell the depth of a well. These days a chicken leg is a rare dish. Rice is often served in round bowls.
The juice of lemons makes fine punch. The box was thrown beside the parked truck. The hogs were fed chopped corn and
garbage. Four hours of steady work faced us. A large size in stockings is hard to sell. The boy was there when the sun
rose. A rod is used to catch pink salmon. The source of the huge river is the clear spring. Kick the ball straight and
follow through. Help the woman get back to her feet. A pot of tea helps to pass the evening. Smoky fires lack flame and
heat. The soft cushion broke the man's fall. The salt breeze came across from the sea. The girl at the booth sold fifty
bonds. The small pup gnawed a hole in the sock. The fish twisted and turned on the bent hook. Press the pants and sew a
button on the vest. The swan dive was far short of perfect. The beauty of the view stunned the young boy. Two blue fish
swam in the tank. Her purse was full of useless trash. The colt reared and threw the tall rider. It snowed, rained, and
hailed the same morning. Read verse out loud for pleasure."""
SPEAKERS = (("en-us", 150), ("en-us", 190), ("en-gb", 150), ("en-gb-scotland", 150), ("en-us+f3", 150))
BESIDE_DB = 10.0
"""How much louder speech is than the noise or music beside it."""
EMPTY_S = 60.0
Sound = NDArray[np.float32]


def noise(count: int, rate: int) -> Sound:
    """Return white noise."""
    return np.random.default_rng(5).normal(0, 0.1, count).astype(np.float32)


def rumble(count: int, rate: int) -> Sound:
    """Return noise as of traffic or wind: mostly low."""
    walk = np.cumsum(np.random.default_rng(6).normal(0, 1, count))
    return (0.5 * walk / np.abs(walk).max()).astype(np.float32)


def music(count: int, rate: int) -> Sound:
    """Return plucked chords, two a second."""
    draw, out = np.random.default_rng(7), np.zeros(count)
    times = np.arange(rate) / rate
    for first in range(0, count - rate, rate // 2):
        for hertz in 220 * 2 ** (draw.integers(0, 24, 3) / 12):
            tones = sum(np.sin(2 * np.pi * hertz * tone * times) / tone for tone in (1, 2, 3, 4))
            out[first : first + rate] += tones * np.exp(-3 * times)
    return (0.3 * out / np.abs(out).max()).astype(np.float32)


def hum(count: int, rate: int) -> Sound:
    """Return the hum of mains."""
    return (0.2 * np.sign(np.sin(2 * np.pi * 50 * np.arange(count) / rate))).astype(np.float32)


def silence(count: int, rate: int) -> Sound:
    """Return a faint hiss."""
    return noise(count, rate) / 100


BESIDE = {"alone": None, "in noise": noise, "in music": music}
EMPTY = (silence, noise, rumble, hum, music)


def transcribed(path: Path, ear: Whisper) -> tuple[Transcript, float]:
    """Transcribe a video; return the transcript, and the CPU seconds that it took, decoding included."""
    began = _cpu_s()
    with tempfile.TemporaryDirectory() as cache, Video.open(path) as video:
        found = Index(video, VideoCache(Path(cache)), ear=ear).spoken(listen=True)
    assert found is not None
    return found, _cpu_s() - began


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def compared(found: Transcript, talk: espeak.Talk, texts: Sequence[str]) -> tuple[int, int, list[float]]:
    """Return the wrong words, the words, and the errors in seconds of the starts of those that are right.

    espeak-ng reports no start for some small words, as it speaks them with the word before.
    """
    said = [word for text in texts for word in words_of(text)]
    heard = [(word.start_s, "".join(words_of(word.text))) for cue in found.cues for word in cue.words]
    wrong = Levenshtein.distance(said, [word for _, word in heard])
    timed = [(start_s, "".join(words_of(word))) for start_s, word in talk.words]
    blocks = Levenshtein.opcodes([word for _, word in timed], [word for _, word in heard])
    errors = [
        abs(heard[there][0] - timed[here][0])
        for block in blocks
        if block.tag == "equal"
        for here, there in zip(
            range(block.src_start, block.src_end), range(block.dest_start, block.dest_end), strict=True
        )
    ]
    return wrong, len(said), errors


def speech_rows(ear: Whisper, folder: Path) -> Iterator[str]:
    """Yield a row for each voice and for each sound beside it."""
    texts = [f"{text.strip()}." for text in " ".join(SENTENCES.split()).split(".") if text.strip()]
    for voice, words_a_minute in SPEAKERS:
        talk = espeak.talk(texts, voice=voice, words_a_minute=words_a_minute, gap_s=0.6)
        for name, make in BESIDE.items():
            samples = talk.samples
            if make is not None:
                other = make(len(samples), talk.rate)
                louder = np.sqrt((samples**2).mean() / (other**2).mean()) / 10 ** (BESIDE_DB / 20)
                samples = samples + louder * other
            path = film(folder / "talk.mp4", np.clip(samples, -1, 1), talk.rate)
            found, cpu_s = transcribed(path, ear)
            wrong, count, errors_s = compared(found, talk, texts)
            typical, most = np.percentile(errors_s, [50, 95])
            minutes = len(samples) / talk.rate / 60
            yield (
                f"| {voice}, {words_a_minute} words a minute | {name} | {count} | {wrong / count:.1%} "
                f"| {typical:.3f} | {most:.3f} | {cpu_s / minutes:.1f} |"
            )


def empty_rows(ear: Whisper, bare: WhisperModel, folder: Path, videos: Path | None) -> Iterator[str]:
    """Yield a row for each sound without words, and for each video with sound."""
    sounds = {make.__doc__.removeprefix("Return ").rstrip("."): make for make in EMPTY if make.__doc__}
    for name, make in sounds.items():
        path = film(folder / "empty.mp4", make(round(EMPTY_S * RATE), RATE), RATE)
        yield _empty_row(name, path, ear, bare)
    for path in sorted(videos.iterdir()) if videos is not None else ():
        if path.suffix in {".mp4", ".webm", ".avi"}:
            with Video.open(path) as video:
                sounds_at_all = video.info.audio is not None
            if sounds_at_all:
                yield _empty_row(path.name, path, ear, bare)


def _empty_row(name: str, path: Path, ear: Whisper, bare: WhisperModel) -> str:
    found, cpu_s = transcribed(path, ear)
    words = [word.text for cue in found.cues for word in cue.words]
    with Video.open(path) as video:
        samples = video.sound(0.0, min(MOST_S, video.info.duration_s))
    ungated = bare.transcribe(
        samples.astype(np.float32) / 32768, temperature=0.0, condition_on_previous_text=False
    )[0]
    without = " ".join(segment.text.strip() for segment in ungated)
    shown = f"{without[:60]} …" if len(without) > 60 else without
    told = ": ".join([str(len(words)), *([" ".join(cue.text for cue in found.cues)[:60]] if words else [])])
    return (
        f"| {name} | {found.duration_s:.0f} | {told} | {len(words_of(without))}: {shown} "
        f"| {60 * cpu_s / found.duration_s:.1f} |"
    )


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--videos", type=Path, default=None)
    asked = parser.parse_args()
    model = str(asked.model or whisper.folder())
    ear, bare = Whisper(model), WhisperModel(model, compute_type="int8")
    ear.hear(np.zeros(RATE, np.int16), Stop())  # loads it
    with tempfile.TemporaryDirectory() as name:
        print("| voice | beside it | words | wrong | start off, s: median | 95% | CPU s a minute |")
        print("|---|---|---|---|---|---|---|")
        for row in speech_rows(ear, Path(name)):
            print(row, flush=True)
        print("\n| sound | s | words kept | words without the gates | CPU s a minute |")
        print("|---|---|---|---|---|")
        for row in empty_rows(ear, bare, Path(name), asked.videos):
            print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
