"""Batches that are killed, cut, repeated or run twice at once."""

from __future__ import annotations

import fcntl
import json
import os
import random
import time

import psutil
import pytest

from tests.scripted_server import ScriptedServer
from tests.serve.batch.conftest import (
    MODEL,
    WAIT_S,
    command_line,
    interrupt,
    process,
    slowly,
    wait_for,
    write_lines,
    written,
)

LINE = {"video": "a.mp4", "text": "When is it seen?"}


@pytest.mark.network
def test_killed_at_random_each_line_is_answered_once(batch, results, clips, tmp_path):
    draw = random.Random(4)
    lines = [
        {"video": f"{draw.choice('abc')}.mp4", "text": f"When is {n} seen?", "num_frames": 2}
        for n in range(30)
    ]
    write_lines(tmp_path, lines)
    out = tmp_path / "out.jsonl"

    with ScriptedServer(slowly(0.1)) as server:
        arguments = [*command_line(tmp_path, clips), *MODEL, "--base-url", server.url, "--concurrency", "3"]
        for _ in range(3):
            with process(*arguments) as running:
                wait_for(out, written(out) + 3, running)
                time.sleep(draw.uniform(0, 0.1))
                running.kill()
                running.communicate()
        assert 9 <= written(out) < 30
        with out.open("ab") as file:
            file.write(b'{"video": "a.mp4", "text": "When is ')
        asked = len(server.bodies)
        assert batch(lines, *MODEL, "--base-url", server.url).code == 0
    assert sorted(one["text"] for one in results()) == sorted(line["text"] for line in lines)
    assert asked < 30 + 3 * 3
    assert len(server.bodies) <= 30 + 3 * 3


@pytest.mark.network
def test_ctrl_c_keeps_what_is_done_and_leaves_no_child(clips, tmp_path):
    lines = [LINE] * 30
    write_lines(tmp_path, lines)
    out = tmp_path / "out.jsonl"

    with ScriptedServer(slowly(0.05)) as server:
        arguments = [*command_line(tmp_path, clips), *MODEL, "--base-url", server.url, "--concurrency", "2"]
        with process(*arguments) as running:
            wait_for(out, 1, running)
            children = psutil.Process(running.pid).children(recursive=True)
            assert children
            interrupt(running)
    psutil.wait_procs(children, timeout=WAIT_S)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    assert all("answer" in json.loads(line) for line in out.read_text().splitlines())


@pytest.fixture
def done(batch):
    """Return a batch of two lines that is done."""
    assert batch([{"video": "no.mp4", "text": "What?"}] * 2, "--model", "signals").code == 3
    return batch


def test_a_line_without_its_end_is_kept(done, results, tmp_path):
    out = tmp_path / "out.jsonl"
    whole = out.read_bytes()
    out.write_bytes(whole[:-1])
    done([{"video": "no.mp4", "text": "What?"}] * 2, "--model", "signals")
    assert out.read_bytes() == whole


def test_another_input_is_refused(done, tmp_path):
    before = (tmp_path / "out.jsonl").read_bytes()
    told = done([{"video": "no.mp4", "text": "What?"}, {"video": "no.mp4", "text": "Who?"}])
    assert told.code == 2
    assert "the output of another input: its line 2 differs" in told.err
    assert (tmp_path / "out.jsonl").read_bytes() == before


def test_an_input_that_grew_is_gone_on_with(done, results):
    done([{"video": "no.mp4", "text": "What?"}] * 3, "--model", "signals")
    assert [one["vidagent_line"].partition(":")[0] for one in results()] == ["1", "2", "3"]


@pytest.mark.parametrize("data", [b'{"mine": 1}\n', b"notes", b"notes\n"])
def test_a_file_that_is_no_output_stays_as_it_is(batch, tmp_path, data):
    (tmp_path / "out.jsonl").write_bytes(data)
    told = batch([LINE], "--model", "signals")
    assert (told.code, (tmp_path / "out.jsonl").read_bytes()) == (2, data)
    assert "is no output of `vidagent batch`" in told.err


def test_a_second_process_is_refused(batch, tmp_path):
    file = os.open(tmp_path / "out.jsonl", os.O_RDWR | os.O_CREAT)
    fcntl.flock(file, fcntl.LOCK_EX)
    told = batch([LINE], "--model", "signals")
    os.close(file)
    assert (told.code, (tmp_path / "out.jsonl").read_bytes()) == (2, b"")
    assert "is being written by another process" in told.err


def test_the_input_is_not_written_over(command, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps(LINE) + "\n")
    assert command("batch", str(source), "-o", str(source)).code == 2
    assert json.loads(source.read_text()) == LINE


def test_half_of_a_character_comes_out_as_it_went_in(batch, results):
    batch(['{"video": "no.mp4", "text": "What?", "kept": "\\ud800"}'], "--model", "signals")
    assert results()[0]["kept"] == "\ud800"
