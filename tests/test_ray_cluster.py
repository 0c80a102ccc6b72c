"""Tasks on a cluster: what a lost worker had is given out again, and nothing is kept twice (with a scripted Ray)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from vidagent.ray_cluster import Job, LostError, Tasks, connected


class RayError(Exception):
    """The base of Ray's errors."""


class RayTaskError(RayError):
    """An error that the work raised."""

    def __init__(self, cause):
        super().__init__(str(cause))
        self.cause = cause


class ScriptedRay:
    """Runs work at once; workers are lost after as many results as it is told, one number for each task given out."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, lost_after: list[int | None]) -> None:
        self.lost_after, self.given_out, self.cancelled = lost_after, [], []

    def remote(self, **_):
        return lambda work: SimpleNamespace(remote=lambda items, setup: self._stream(work, items, setup))

    def _stream(self, work, items, setup):
        self.given_out.append(list(items))
        lost = self.lost_after.pop(0) if self.lost_after else None

        def results():
            for number, result in enumerate(work(items, setup)):
                if number == lost:
                    raise RayError("the node is gone")
                yield result
            if lost is not None and lost >= len(items):
                raise RayError("the node is gone")

        return results()

    def wait(self, streams, **_):
        return streams[:1], streams[1:]

    def get(self, result):
        return result

    def cancel(self, stream, *, force):
        self.cancelled.append(stream)


def doubled(items, setup):
    for item in items:
        yield item, setup * item


def run(ray, items, work=doubled):
    kept, told, left = [], [], [items[:2], items[2:]]
    job = Job(
        work=work,
        setup=2,
        take=lambda: left.pop(0) if left else [],
        key_of=lambda item: item,
        key_in=lambda result: result[0],
        failed=lambda item, error: (item, error),
        keep=kept.append,
        tell=told.append,
        noun="number",
    )
    Tasks(ray, job).run(2)
    return kept, told


def test_all_items_are_worked_on_once():
    kept, told = run(ScriptedRay([]), [1, 2, 3])
    assert sorted(kept) == [(1, 2), (2, 4), (3, 6)]
    assert told == []


def test_what_a_lost_worker_had_is_given_out_again():
    ray = ScriptedRay([1])
    kept, told = run(ray, [1, 2, 3])
    assert sorted(kept) == [(1, 2), (2, 4), (3, 6)]
    assert ray.given_out.count([2]) == 1
    assert told == ["a task was lost (RayError); 1 open number of it will be given out again"]


def test_an_item_that_is_lost_again_and_again_gets_an_error():
    ray = ScriptedRay([0, None, 0, 0, 0])
    kept, _ = run(ray, [1, 2, 3])
    assert (3, 6) in kept
    [first, second] = [error for item, error in kept if item in {1, 2}]
    assert isinstance(first, LostError)
    assert isinstance(second, LostError)
    assert str(first) == "its worker was lost 4 times (RayError)"


def test_the_error_of_a_task_is_that_of_its_items():
    def fails(items, setup):
        raise RayTaskError(ValueError("no such setup"))
        yield

    kept, _ = run(ScriptedRay([]), [1, 2, 3], fails)
    assert {item: str(error) for item, error in kept} == dict.fromkeys([1, 2, 3], "no such setup")


def test_what_runs_is_cancelled_when_keeping_fails():
    ray = ScriptedRay([])

    def fails(items, setup):
        yield from doubled(items, setup)

    job = Job(fails, 2, lambda: [1], int, lambda result: result[0], lambda *_: None, _refuse, print, "number")
    with pytest.raises(OSError, match="disk is full"):
        Tasks(ray, job).run(2)
    assert len(ray.cancelled) == 2


def _refuse(result):
    raise OSError("disk is full")


@pytest.mark.network
def test_an_address_where_nothing_listens_is_told_at_once():
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    with pytest.raises(Exception, match=r"no Ray cluster at 127\.0\.0\.1:1"), connected("127.0.0.1:1"):
        pass
