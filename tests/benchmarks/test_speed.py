"""The benchmarks of speed: the runner, on the smallest setting, and how it writes down what it found."""

from __future__ import annotations

import json

import pytest

from benchmarks.speed.results import Found, rewrite
from benchmarks.speed.runner import main
from benchmarks.speed.turns import Row, Table, compared, in_turn

TINY = ("--quick", "--rounds", "1", "--length", "2", "--size", "320x180")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("speed")


def run(folder, *words):
    main([*words, *TINY, "--folder", str(folder), "--json", str(folder / "found.json")])
    told = json.loads((folder / "found.json").read_text())
    return [table for one in told["benchmarks"] for table in one["tables"]]


def rows(table):
    return {row["what"]: row for row in table["rows"]}


def test_decoding_is_compared_with_the_libraries_at_the_same_frames(folder, capsys):
    tables = run(folder, "decode")
    assert [table["title"].split()[0] for table in tables] == ["64", "12", "64"]
    for table in tables:
        ways = rows(table)
        assert {"vidagent", "PyAV"} <= {name.split()[0] for name in ways}
        assert "note" not in ways["vidagent"]
        assert ways["vidagent"]["ratio"] > 0
    assert "× the fastest library" in capsys.readouterr().out


def test_a_scan_is_compared_with_decoding_alone(folder):
    (table,) = run(folder, "index")
    assert rows(table)["scan"]["ratio"] > 0.3


@pytest.mark.network
@pytest.mark.usefixtures("socket_enabled")
def test_a_run_without_latency_is_told_apart_by_package(folder):
    times, shares = run(folder, "overhead")
    assert 0 < rows(times)["CPU per model call"]["median"] <= rows(times)["CPU per step"]["median"]
    assert 50 < sum(row["median"] for row in shares["rows"]) <= 100.1
    assert any(row["what"].startswith("vidagent/") for row in shares["rows"])


@pytest.mark.network
@pytest.mark.usefixtures("socket_enabled")
def test_questions_at_once_are_compared_with_one(folder):
    decoded, rates = run(folder, "concurrent", "--at-once", "1", "2")
    assert rows(decoded)["2 questions"]["ratio"] >= 1
    assert rows(rates)["2 questions"]["values"][0] > 0


def test_pictures_are_compared_with_bare_opencv(folder):
    (table,) = run(folder, "images")
    assert len(rows(table)) == 5


def test_an_unknown_benchmark_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["walk"])
    assert "decode" in capsys.readouterr().err


def test_ways_are_measured_in_turn_and_compared_in_the_same_round():
    order = []
    ways = {name: (lambda name=name: order.append(name) or float(len(order))) for name in "ab"}
    base, other = compared(in_turn(ways, 2), "a")
    assert order == ["a", "b", "b", "a"]
    assert (base.values, base.ratios) == ([1.0, 4.0], [])
    assert other.ratios == [2.0, 0.75]


def test_only_the_sections_of_what_ran_are_rewritten(tmp_path):
    path = tmp_path / "RESULTS.md"
    path.write_text(
        "a\n<!-- speed: x -->\nold\n<!-- /speed: x -->\nb\n<!-- speed: y -->kept<!-- /speed: y -->\n"
    )
    table = Table("things", "s", [Row("one", [1.0, 3.0], [2.0, 2.0], "noted"), Row("two", [4.0])], "base")
    found = Found("x", "About.", "python -m benchmarks x", [table], 1.0)
    rewrite(path, [found])
    text = path.read_text()
    assert "| one | 2 | 1 to 3 | 1 | 0.5 to 1.5 | noted |" in text
    assert "| two | 4 |  |  |  |  |" in text
    assert "old" not in text
    assert text.startswith("a\n")
    assert text.endswith("b\n<!-- speed: y -->kept<!-- /speed: y -->\n")
    with pytest.raises(ValueError, match="has 0 places for the benchmark z"):
        rewrite(path, [Found("z", "", "", [table], 1.0)])
