"""What is read from a server's log: what it is doing, and why it died."""

from __future__ import annotations

import pytest

from vidagent.errors import UsageError
from vidagent.serve.vlm.log import Log

ENGINE = "(EngineCore pid=7) ERROR 11-21 12:26:05 [core.py:133] "
WORKER = "(Worker pid=9) INFO 11-21 12:26:13 [runner.py:68] "


@pytest.fixture
def log(tmp_path) -> Log:
    log = Log(tmp_path / "new" / "server.log")
    log.begin("vllm serve x")
    return log


def write(log: Log, *lines: str, end: str = "\n") -> None:
    with log.path.open("a", newline="") as file:
        file.write("\n".join(lines) + end)
    log.read()


@pytest.mark.parametrize(
    ("line", "phase", "share"),
    [
        (
            "(APIServer pid=1) INFO 11-21 12:25:52 [api_utils.py:286] non-default args: {}",
            "reading the model's",
            "",
        ),
        (f"{ENGINE}Initializing a V1 LLM engine (v0.32.0) with config: model='x'", "starting the engine", ""),
        (f"{WORKER}Starting to load model x...", "loading weights", ""),
        (
            "Loading safetensors checkpoint shards:  50% Completed | 2/4 [00:01<00:01]",
            "loading weights",
            "50%",
        ),
        (f"{WORKER}Loading weights took 0.01 seconds", "warming up", ""),
        (f"{WORKER}Starting torch.compile", "compiling", ""),
        (
            "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  12%|#2  | 6/51",
            "capturing graphs",
            "12%",
        ),
        (
            "(APIServer pid=1) INFO 11-21 12:26:18 [entry.py:140] Starting vLLM server on http://x",
            "opening the",
            "",
        ),
        ("Triton is installed, but doesn't include CPU backend.", "the server", ""),
    ],
)
def test_phases(log, line, phase, share):
    write(log, line)
    assert log.phase.startswith(phase)
    assert log.share == share


def test_a_line_counts_once_it_is_whole(log):
    write(log, "Loading safetensors checkpoint shards:  25% Completed", "Loading safetensors checkpo", end="")
    assert log.share == "25%"
    write(log, "int shards:  75% Completed", end="\r")
    assert log.share == "75%"


def test_an_earlier_process_is_forgotten(log):
    write(log, "ValueError: old", f"{WORKER}Starting torch.compile")
    log.begin("vllm serve x")
    write(log, "RuntimeError: new")
    assert (log.reasons(), log.phase) == (["RuntimeError: new"], "the server")
    assert log.path.read_text().count("  vllm serve x\n") == 2


def test_the_first_errors_tell_most(log):
    write(
        log,
        f"{ENGINE}Traceback (most recent call last):",
        f'{ENGINE}  File "a.py", line 1, in run',
        f"{ENGINE}    raise ValueError(",
        f"{ENGINE}pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig",
        f"{ENGINE}  Value error, max_model_len (9) is too large",
        f"{ENGINE}pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig",
        "RuntimeError: Engine core initialization failed. See root cause above.",
        "(APIServer pid=1) INFO 11-21 12:00:00 [x.py:1] shutting down",
    )
    assert log.reasons() == [
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig",
        "  Value error, max_model_len (9) is too large",
        "RuntimeError: Engine core initialization failed. See root cause above.",
    ]


def test_a_log_that_is_cut_or_moved_away_does_no_harm(log):
    write(log, *["KeyError: 'long'"] * 50)
    log.path.write_text("")
    write(log, "KeyError: 'after'")
    log.path.unlink()
    log.read()
    assert log.reasons() == ["KeyError: 'long'", "KeyError: 'after'"]


def test_a_log_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot be written: .*; name another with --log"):
        Log(tmp_path / "file" / "server.log")
