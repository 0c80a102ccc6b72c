import pytest

from tests.agents.signals.film import Event, Film, ask

AFTER, BEFORE = "What text is shown right after 60.400 s?", "What text is shown right before 60.000 s?"


def film(*events, cuts=(), **rest):
    """Make an hour with a text from 60.000 to 60.400 s, and what else is given, in frames of 1/25 s."""
    shown = [Event("text", "ORCHID 7421", 1500, 1510), *events]
    return Film.steady(25.0, 3600, events=shown, cuts=cuts, **rest)


def test_the_text_right_after_is_read_with_few_frames():
    seen = film(Event("text", "FALCON 1234", 1530, 1545), Event("text", "LATER 1", 1560, 1700))
    found = ask(seen, AFTER)
    assert found["answer"].startswith('Right after that the text "FALCON 1234" is read, at 61.')
    assert 61.2 <= found["spans"][0]["start_s"] < 61.6
    assert seen.frames_sent <= 8


def test_the_text_right_before_is_the_last_of_those_before():
    seen = film(Event("text", "FALCON 1234", 1440, 1452), Event("text", "NEARER 5", 1470, 1490))
    found = ask(seen, BEFORE)
    assert '"NEARER 5"' in found["answer"]
    assert seen.frames_sent <= 8


@pytest.mark.parametrize("question", [AFTER, BEFORE])
def test_what_is_there_all_the_time_is_not_what_comes(question):
    seen = film(Event("text", "CHANNEL 4", 0, 90000))
    found = ask(seen, question)
    assert (found["found"], found["claims"]) == ("no", [])
    assert "A vision-language model can" in found["answer"]
    assert seen.frames_sent == 8


@pytest.mark.parametrize(("question", "cut"), [(AFTER, 1510), (AFTER, 1525), (BEFORE, 1499), (BEFORE, 1480)])
def test_without_a_text_the_next_cut_is_told(question, cut):
    seen = film(cuts=[40, cut, 4000])
    found = ask(seen, question)
    assert found["answer"].endswith(f"no text is read; a new shot begins at {cut / 25:.3f} s.")
    assert found["spans"][0]["start_s"] == pytest.approx(cut / 25)
    assert seen.frames_sent <= 14


def test_a_cut_that_the_index_knows_roughly_is_found_to_the_frame():
    seen = film(cuts=[1525])
    seen.told_cuts_s, seen.exact = [61.2], False
    found = ask(seen, AFTER)
    assert found["spans"][0]["start_s"] == pytest.approx(61.0)
    assert seen.frames_sent <= 19


def test_a_cut_of_the_index_that_is_none_is_not_told():
    seen = film()
    seen.told_cuts_s, seen.exact = [61.2], False
    assert ask(seen, AFTER)["found"] == "no"


def test_at_the_end_of_the_video_there_is_nothing_after():
    seen = Film.steady(25.0, 60.4, events=[Event("text", "ORCHID 7421", 1500, 1510)])
    assert ask(seen, AFTER)["answer"].startswith("The video ends at 60.400 s")


@pytest.mark.parametrize(
    "tools", [frozenset({"clip", "answer"}), frozenset({"resample", "search", "answer"})]
)
def test_fewer_tools_do(tools):
    seen = film(Event("text", "FALCON 1234", 1530, 1545), tools=tools)
    assert '"FALCON 1234"' in ask(seen, AFTER)["answer"]
