import random

import pytest

from tests.agents.signals.film import Event, Film, ask
from vidagent.agents.signals.planning.earlier_looks import Past
from vidagent.agents.signals.planning.planner import plan

RATES = [24000 / 1001, 25.0, 30000 / 1001, 60.0]
MOST_FRAMES = 200


def random_film(seed):
    """Make a film with one text, one colour or one movement, anywhere in seconds to hours."""
    rng = random.Random(seed)
    fps = rng.choice(RATES)
    seconds = rng.choice([2, 15, 60, 400, 3600, 36000])
    last = round(fps * seconds)
    length = min(last, rng.choice([1, 10, round(2 * fps), last // 3]) or 1)
    first = rng.choice([0, last - length, rng.randrange(0, last - length + 1)])
    kind, what, question = rng.choice(
        [
            ("text", "GATE 7", 'When is the text "GATE 7" shown?'),
            ("text", "GATE 7", 'How long is "GATE 7" visible?'),
            ("colour", "red", "When is the screen red?"),
            ("code", "X-1", "When is the QR code shown?"),
        ]
    )
    event = Event(kind, what, first, first + length)
    noise = [rng.uniform(0, seconds * 0.999) for _ in range(rng.choice([0, 10, 80]))]
    moments_s = [*noise[:20], (first + length // 2) / fps, *noise[20:]]
    return Film.steady(fps, seconds, events=[event], moments_s=moments_s), event, question


@pytest.mark.parametrize("seed", range(150))
def test_whatever_is_shown_is_found_to_the_frame_with_few_frames(seed):
    film, event, question = random_film(seed)
    found = ask(film, question)
    assert found["found"] == "yes"
    (span,) = found["spans"]
    assert (span["start_s"], span["end_s"]) == pytest.approx(film.span(event), abs=1e-3)
    assert film.frames_sent <= MOST_FRAMES
    looks = {result.id: result.times_s for result in film.results}
    for claim in found["claims"]:
        assert any(abs(t - claim["time_s"]) < 1e-3 for entry in claim["ledger"] for t in looks[entry])


@pytest.mark.parametrize("seed", range(40))
def test_what_is_not_shown_is_never_found(seed):
    film, event, _ = random_film(seed)
    film.events = [Event(event.kind, "other", event.first, event.end)]
    found = ask(film, 'When is the text "GATE 7" shown?')
    assert (found["found"], found["claims"]) == ("no", [])
    assert film.frames_sent <= MOST_FRAMES


@pytest.mark.parametrize("seed", range(60))
def test_movement_and_stillness_are_found_to_the_frame(seed):
    rng = random.Random(seed)
    fps = rng.choice(RATES)
    seconds = rng.choice([5, 60, 600])
    last = round(fps * seconds)
    first = rng.randrange(1, last // 2)
    end = rng.randrange(first + 1, last)
    film = Film.steady(fps, seconds, events=[Event("motion", "", first, end)])
    found = ask(film, "When does something move?")
    (span,) = found["spans"]
    assert (span["start_s"], span["end_s"]) == pytest.approx(
        (film.times_s[first], film.times_s[end]), abs=1e-3
    )
    assert film.frames_sent <= MOST_FRAMES
    if abs(first - 1 - (last - end)) < 0.2 * last:
        return  # two still times of about the same length: either may look longer between few frames
    film = Film.steady(fps, seconds, events=[Event("motion", "", first, end)])
    (span,) = ask(film, "When is the picture still?")["spans"]
    still = (0, film.times_s[first]) if first - 1 > last - end else (film.times_s[end - 1], film.duration_s)
    assert (span["start_s"], span["end_s"]) == pytest.approx(still, abs=1e-3)


@pytest.mark.parametrize("seed", range(60))
def test_uneven_frame_times(seed):
    rng = random.Random(seed)
    times, now = [], 0.0
    for _ in range(rng.choice([30, 300, 3000])):
        times.append(round(now, 6))
        now += rng.choice([0.017, 0.033, 0.04, 0.066, 0.1, 0.4, rng.choice([0.1, 3.0])])
    first = rng.randrange(len(times))
    event = Event("text", "A", first, min(len(times), first + rng.randrange(1, 60)))
    film = Film(times, now / len(times), events=[event], moments_s=[times[(event.first + event.end) // 2]])
    (span,) = ask(film, 'When is "A" shown?')["spans"]
    assert span["start_s"] == pytest.approx(times[first], abs=1e-3)
    if event.end < len(times):
        assert span["end_s"] == pytest.approx(times[event.end], abs=1e-3)
    assert film.frames_sent <= MOST_FRAMES


@pytest.mark.parametrize(
    "question", ["Who wins the race?", "How many cars drive by?", "Who speaks the most?"]
)
def test_what_cannot_be_judged_costs_no_look_and_says_how_to_connect_a_model(question):
    film = Film.steady(25, 10)
    found = ask(film, question)
    assert (found["found"], film.frames_sent, found["confidence"]) == ("cannot_judge", 0, 0.0)
    assert "--base-url" in found["answer"]


def test_options_are_no_choice_where_times_are_sought():
    film = Film.steady(25, 10, events=[Event("text", "A", 10, 90)])
    assert ask(film, 'When is "A" shown?', ["early", "late"])["found"] == "cannot_judge"


def test_a_spent_budget_ends_the_search():
    past = Past((), ("the frames budget is spent; answer with what is known",), 60.0, 0.04)
    (call,) = plan('When is "A" shown?', None, past)
    assert call["name"] == "answer"
    assert call["args"]["found"] == "cannot_judge"


def test_which_colour():
    film = Film.steady(25, 20, events=[Event("colour", "red", 0, 250), Event("colour", "blue", 250, 500)])
    assert ask(film, "What colour fills the screen at 9.99 s?")["answer"] == "red"
    assert film.frames_sent == 1
    film.results.clear()
    assert ask(film, "What colour fills the screen at 10 s?", ["red", "Blue"])["choice"] == 1
    film.results.clear()
    assert ask(film, "What colour fills the screen at 3 s?", ["green", "blue"])["found"] == "cannot_judge"
    film.results.clear()
    assert ask(film, "What colour fills the screen?")["found"] == "cannot_judge"
