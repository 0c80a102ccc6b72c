"""How lines are cut into the tasks of a cluster."""

from __future__ import annotations

import json
from collections import Counter

import pytest

pytest.importorskip("ray", reason="the extra `ray` is not installed")

from vidagent.serve.batch.input_file import read_lines
from vidagent.serve.batch.ray_cluster import Supply


@pytest.fixture
def lines(tmp_path):
    """Return a function that reads lines from their fields."""

    def read(fields):
        path = tmp_path / "in.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in fields))
        return read_lines(path)

    return read


def asked(video, number, **fields):
    return {"video": video, "question": f"What is {number}?", **fields}


def tasks_of(supply):
    tasks = []
    while supply:
        tasks.append(supply.take())
    return tasks


@pytest.mark.parametrize("workers", [1, 2, 4, 64])
@pytest.mark.parametrize("total", [1, 7, 200])
def test_each_line_is_in_one_task(lines, workers, total):
    given = lines([asked(f"{n % 9}.mp4", n) for n in range(total)])
    tasks = tasks_of(Supply(given, workers, size=4))
    assert Counter(line.key for task in tasks for line in task) == Counter(line.key for line in given)


def test_tasks_are_long_at_first_and_short_at_the_end(lines):
    sizes = [
        len(task) for task in tasks_of(Supply(lines([asked("a.mp4", n) for n in range(400)]), 4, size=4))
    ]
    assert sizes[0] == 50
    assert sizes[:-1] == sorted(sizes[:-1], reverse=True)
    assert all(8 <= size < 16 for size in sizes[-2:])  # two rounds of a worker, and at most another such rest


def test_one_worker_needs_no_short_tasks(lines):
    sizes = [
        len(task) for task in tasks_of(Supply(lines([asked("a.mp4", n) for n in range(160)]), 1, size=4))
    ]
    assert sizes == [64, 64, 32]


def test_the_last_lines_of_a_video_stay_with_it(lines):
    given = lines([asked(f"{n // 10}.mp4", n) for n in range(40)])
    tasks = tasks_of(Supply(given, 2, size=4))
    assert [{line.item.media for line in task} for task in tasks] == [
        {"0.mp4"},
        {"1.mp4"},
        {"2.mp4"},
        {"3.mp4"},
    ]


def test_small_videos_share_a_task(lines):
    given = lines([asked(f"{n}.mp4", n) for n in range(64)])
    assert len(tasks_of(Supply(given, 2, size=4))) < 10


def test_a_session_is_never_cut(lines):
    given = lines([asked("a.mp4", n, session=f"s{n % 2}") for n in range(100)])
    tasks = tasks_of(Supply(given, 4, size=2))
    places = {line.item.session: set() for line in given}
    for number, task in enumerate(tasks):
        for line in task:
            places[line.item.session].add(number)
    assert all(len(where) == 1 for where in places.values())
