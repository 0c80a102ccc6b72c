"""search: subtitles, texts read earlier, shots, movement, and the moments most worth a look."""

from __future__ import annotations

import numpy as np
import pytest

from tests.media.make import SUBTITLES, encode
from vidagent.errors import BudgetSpent, ModelError, ToolError
from vidagent.video.cache.video_cache import FoundText
from vidagent.video.index.activity import Activity
from vidagent.video.index.scan import Moment, Scan
from vidagent.video.video import Video

BOX = (0, 0, 8, 8)


@pytest.fixture
def scanned(bench, monkeypatch):
    """Lay tools over a clip whose scan found these moments and cuts."""

    def lay(moments=(), cuts=(), *, kind="h264", exact=True, **caps):
        tools = bench(kind, **caps)
        found = Scan(tuple(Moment(1.0, t, BOX) for t in moments), tuple(cuts), (), exact)
        monkeypatch.setattr(tools.index, "scan", lambda: found)
        return tools

    return lay


def test_moments_are_shown_page_by_page(scanned):
    tools = scanned([7.0, 1.0, 3.01, 5.0, 2.0], frames=2)
    first = tools.use("search", query="a red car")
    assert tools.times(first) == [1.0, 7.0]  # the two that weigh most, in order of time
    unranked = "no line matches, so they are those with most new detail, whatever the query"
    assert first.notes == (f"page 1: 2 moments looked at, 3 more on later pages; {unranked}",)
    assert (first.question, first.facts, first.start_s, first.end_s) == ("a red car", (), 0.0, 8.0)
    second = tools.use("search", query="a red car", page=2)
    assert tools.times(second) == [3.0, 5.0]
    assert tools.times(tools.use("search", query="a red car", page="3")) == [2.0]
    last = tools.use("search", query="a red car", page=4)
    assert (last.stills, last.notes) == (
        (),
        (f"page 4: 0 moments looked at, 0 more on later pages; {unranked}",),
    )


def test_few_moments_leave_room_for_the_seconds_with_most_change(scanned, monkeypatch):
    tools = scanned([3.0], frames=4)
    busy = Activity(1.0, np.array([0, 10, 0, 5, 0, 90, 0, 0], np.float32))
    monkeypatch.setattr(tools.index, "activity", lambda: busy)
    assert tools.times(tools.use("search", query="a red car")) == [2.0, 3.0, 5.48, 6.0]
    assert tools.use("search", query="a red car", page=2).stills == ()


class Numbered:
    """An embedder that tells pieces of a clip apart by their number, which a text names."""

    model = "numbered"

    def __init__(self) -> None:
        self.asked = 0

    def pictures(self, pictures):
        self.asked += len(pictures)
        place = np.arange(self.asked - len(pictures), self.asked)
        return np.eye(8, dtype=np.float32)[place]

    def texts(self, texts):
        self.asked += 1
        return np.eye(8, dtype=np.float32)[[int(text.split()[-1]) for text in texts]]


def test_with_an_embedding_server_what_looks_like_the_query_comes_first(scanned):
    tools = scanned([7.5, 1.2], cuts=(3.0,), frames=2)
    tools.index.embedder = embedder = Numbered()
    first = tools.use("search", query="the piece of number 2")  # from 3 to 4.667 s, as each shot begins anew
    assert tools.times(first) == [3.8, 7.48]
    assert "the pictures most like the query first" in first.notes[0]
    asked = embedder.asked
    tools.use("search", query="the piece of number 2")
    assert embedder.asked == asked, "vectors of the pictures and of the query are cached"


def test_an_embedding_server_that_fails_is_told_and_the_search_goes_on(scanned):
    class Gone(Numbered):
        def pictures(self, pictures):
            raise ModelError("the embedding server is gone")

    tools = scanned([7.0, 1.0], frames=2)
    tools.index.embedder = Gone()
    found = tools.use("search", query="a red car")
    assert tools.times(found) == [1.0, 7.0]
    assert found.notes[0] == "pictures could not be searched by meaning: the embedding server is gone"


def test_the_moments_of_matching_lines_come_first_best_first(scanned):
    tools = scanned([7.0, 1.2, 3.0], frames=2)
    tools.index.note_texts([FoundText(1.0, "EXIT", BOX), FoundText(5.0, "Exit to the north", None)])
    first = tools.use("search", query="the north exit")
    assert tools.times(first) == [1.0, 5.0]
    assert first.notes == (
        "page 1: 2 moments looked at, 2 more on later pages; those of matching lines or near them first",
    )
    assert tools.times(tools.use("search", query="the north exit", page=2)) == [
        3.0,
        7.0,
    ]  # 1.2 s is that of EXIT
    assert tools.times(tools.use("search", query="a red car")) == [1.2, 7.0]


@pytest.mark.parametrize("page", [0, -1, 17, "x", 1.5])
def test_pages_have_limits(scanned, page):
    with pytest.raises(ToolError, match="search was not called rightly: page: "):
        scanned().use("search", query="a red car", page=page)


def test_shots_are_listed_without_a_look(scanned):
    look = scanned([1.0], [2.04, 5.0]).use("search", query="How many shots are there?")
    assert look.stills == ()
    assert look.facts == (
        "3 shots, 2 cuts (exact to the frame)",
        "cuts at (first frame of the new shot, seconds): 2.040, 5.000",
    )


def test_of_hundreds_of_cuts_those_around_a_time_are_listed(scanned):
    tools = scanned([], [float(second) for second in range(1, 501)])
    around = tools.use("search", query="When are the cuts around 300.500 s?").facts[1]
    assert around.startswith("cuts at (first frame of the new shot, seconds; around 300.500 s): 201.000, ")
    assert around.endswith(", 400.000")
    assert tools.use("search", query="list the cuts").facts[1].endswith(", 200.000")


def test_shots_of_long_videos_are_said_to_be_rough(scanned):
    look = scanned([], [], exact=False).use("search", query="list the cuts")
    assert look.facts[0] == "1 shot, 0 cuts (exact to a few frames)"
    assert look.facts[1].endswith("none")


def test_movement_is_listed_without_a_look(scanned, monkeypatch):
    tools = scanned([1.0])
    look = tools.use("search", query="when does something move?")
    assert look.stills == ()
    assert look.facts[0].startswith("most change per second at (seconds): ")
    assert look.facts[1].startswith("longest still stretch: ")
    assert isinstance(tools.index.activity(), Activity)


def test_subtitle_lines_beside_the_video_are_found(bench, tmp_path):
    encode(tmp_path / "talk.mp4", range(0, 6000, 40))
    (tmp_path / "talk.en.srt").write_text(SUBTITLES)
    with Video.open(tmp_path / "talk.mp4") as video:
        tools = bench(video=video)
        look = tools.use("search", query='Who says "good morning"?')
        assert look.facts == ("subtitle 1.000-2.500 s: Good morning",)
        assert tools.use("search", query="the two lines").facts == ("subtitle 4.000-5.000 s: two\nlines",)
        assert tools.use("search", query="what of it").facts == ()


def test_embedded_subtitle_lines_are_found(bench):
    look = bench("subtitled_mp4").use("search", query="morning")
    assert look.facts == ("subtitle 1.000-2.500 s: Good morning",)


def test_texts_read_earlier_are_found_best_first(scanned):
    tools = scanned([])
    tools.index.note_texts([FoundText(1.0, "EXIT", BOX), FoundText(2.5, "Exit to the north", None)])
    facts = tools.use("search", query="the north exit").facts
    assert facts == (
        "text read earlier at 2.500 s: Exit to the north",
        "text read earlier at 1.000 s: EXIT",
    )


def test_without_frames_left_what_is_known_is_told(scanned):
    tools = scanned([1.0, 2.0])
    tools.left = 0
    with pytest.raises(BudgetSpent):
        tools.use("search", query="exit")
    tools.index.note_texts([FoundText(1.0, "EXIT", BOX)])
    look = tools.use("search", query="exit")
    assert (look.facts, look.notes) == (
        ("text read earlier at 1.000 s: EXIT",),
        ("no frame is left to look",),
    )


@pytest.mark.parametrize("query", ["", None, 3])
def test_a_search_needs_a_query(scanned, query):
    with pytest.raises(ToolError, match="query"):
        scanned().use("search", query=query)


def test_moments_near_a_matching_subtitle_come_first(scanned):
    tools = scanned([7.0, 1.2, 6.0], kind="subtitled_mp4", frames=1)
    assert tools.times(tools.use("search", query="good morning")) == [1.2]
    assert tools.times(tools.use("search", query="a red car")) == [7.0]
