"""The command lines of `vidagent vlm serve`: what each profile is started with, and what is refused."""

from __future__ import annotations

import itertools
import json
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from vidagent.agents.profiles import loader
from vidagent.serve.vlm import launcher
from vidagent.serve.vlm.command import Options, base_url

BOTH = {"trust-remote-code": True, "data-parallel-size": "1", "tensor-parallel-size": "1"}
LONG = {"max-model-len": "-1"}
HYBRID = {"max-num-seqs": "64"}
FRAMES = {"media-io-kwargs": {"video": {"fps": 2, "num_frames": 128}}}
OPENCV = {"media-io-kwargs": {"video": {"fps": 2, "num_frames": 128, "video_backend": "opencv"}}}
EVERY_HOUSE = {
    "host": "127.0.0.1",
    "port": "8000",
    "trust-request-mm-kwargs": True,
    "enable-prefix-caching": True,
    "enable-prompt-tokens-details": True,
    "structured-outputs-config": {"backend": "xgrammar", "disable_any_whitespace": True},
}
HERMES = {"enable-auto-tool-choice": True, "tool-call-parser": "hermes"}
NEMOTRON = {
    **BOTH, **LONG, **FRAMES, **HERMES, **HYBRID, "video-pruning-rate": "0.75", "mamba-ssm-cache-dtype": "float32",
    "interleave-mm-strings": True, "limit-mm-per-prompt": {"image": 128, "video": 4},
}  # fmt: skip
OMNI = {
    **BOTH, **LONG, "media-io-kwargs": {"video": {"fps": 1, "num_frames": 512}}, "video-pruning-rate": "0.5",
    **HYBRID, "reasoning-parser": "nemotron_v3", "enable-auto-tool-choice": True, "tool-call-parser": "qwen3_coder",
}  # fmt: skip
SMALL_OMNI = {**OMNI, "kv-cache-dtype": "fp8"}
QWEN = {**LONG, **OPENCV, **HERMES}
THINKING = {**QWEN, "reasoning-parser": "qwen3"}
LLAVA = {**LONG, "limit-mm-per-prompt": {"image": 1, "video": 1}}
TINY = {
    **OPENCV, **HERMES, "served-model-name": "tiny", "dtype": "float32", "max-model-len": "16384",
    "enforce-eager": True, "skip-mm-profiling": True, "max-num-seqs": "8",
    "limit-mm-per-prompt": {"image": 64, "video": 4}, "reasoning-parser": "qwen3",
}  # fmt: skip


def parsers(tool: str, reasoning: str | None = None) -> dict[str, object]:
    """Return the flags of a model whose calls, and thoughts, the server parses."""
    thought = {} if reasoning is None else {"reasoning-parser": reasoning}
    return {"enable-auto-tool-choice": True, "tool-call-parser": tool, **thought}


QWEN_3_5 = {**LONG, **HYBRID, **parsers("qwen3_coder", "qwen3")}
GOLDEN = [
    ("nemotron-nano-12b-v2-vl", "nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-BF16", NEMOTRON),
    ("nemotron-nano-12b-v2-vl:bf16", "nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-BF16", NEMOTRON),
    ("nemotron-nano-12b-v2-vl:fp8", "nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-FP8", NEMOTRON),
    ("nemotron-nano-12b-v2-vl:nvfp4", "nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-NVFP4-QAD", NEMOTRON),
    ("nemotron-3-nano-omni", "nvidia/Nemotron-3-Nano-Omni-30B-A3B-Reasoning-BF16", OMNI),
    ("nemotron-3-nano-omni:fp8", "nvidia/Nemotron-3-Nano-Omni-30B-A3B-Reasoning-FP8", SMALL_OMNI),
    ("nemotron-3-nano-omni:nvfp4", "nvidia/Nemotron-3-Nano-Omni-30B-A3B-Reasoning-NVFP4", SMALL_OMNI),
    ("qwen3-vl", "Qwen/Qwen3-VL-8B-Instruct", QWEN),
    ("qwen3-vl:30b-a3b", "Qwen/Qwen3-VL-30B-A3B-Instruct", QWEN),
    ("qwen3-vl-thinking:8b", "Qwen/Qwen3-VL-8B-Thinking", THINKING),
    ("qwen3-vl-thinking:30b-a3b", "Qwen/Qwen3-VL-30B-A3B-Thinking", THINKING),
    ("qwen3.5", "Qwen/Qwen3.5-9B", QWEN_3_5),
    ("qwen3.5:0.8b", "Qwen/Qwen3.5-0.8B", QWEN_3_5),
    ("qwen3.5:27b-fp8", "Qwen/Qwen3.6-27B-FP8", QWEN_3_5),
    ("qwen2.5-vl", "Qwen/Qwen2.5-VL-7B-Instruct", parsers("hermes")),
    ("gemma-4", "google/gemma-4-12b-it", parsers("gemma4", "gemma4")),
    ("glm-4.6v", "zai-org/GLM-4.6V-Flash", parsers("glm45", "glm45")),
    ("minicpm-v", "openbmb/MiniCPM-V-4_5", parsers("qwen3_coder", "minicpmv")),
    ("internvl3.5", "OpenGVLab/InternVL3_5-8B", {**LONG, "trust-remote-code": True}),
    ("molmo2", "allenai/Molmo2-8B", {**LONG, "trust-remote-code": True}),
    ("kimi-k2.5", "moonshotai/Kimi-K2.5", parsers("kimi_k2", "kimi_k2")),
    ("cosmos", "nvidia/Cosmos-Reason2-8B", {**OPENCV, **parsers("hermes")}),
    ("step", "stepfun-ai/Step3-VL-10B", parsers("step3p5", "step3p5")),
    ("smolvlm", "HuggingFaceTB/SmolVLM2-2.2B-Instruct", LONG),
    ("keye", "Kwai-Keye/Keye-VL-1_5-8B", parsers("hermes")),
    ("ovis2.5", "AIDC-AI/Ovis2.5-2B", parsers("hermes")),
    ("eagle2.5", "nvidia/Eagle2.5-8B", LONG),
    ("ernie-4.5-vl", "baidu/ERNIE-4.5-VL-28B-A3B-PT", LONG),
    ("llava-next-video-7b", "llava-hf/LLaVA-NeXT-Video-7B-hf", LLAVA),
    ("tiny", "tiny-qwen3vl", TINY),
]


@dataclass(frozen=True)
class Printed:
    """A printed command line, read back."""

    env: dict[str, str]
    words: list[str]
    flags: dict[str, object]


def read(text: str) -> Printed:
    """Read a printed command as a shell does."""
    words = subprocess.run(
        ["sh", "-c", f"printf '%s\\0' {text}"], capture_output=True, text=True, check=True
    ).stdout
    assert words.split("\0")[:-1] == shlex.split(text.replace("\\\n", ""))
    env, plain, flags = {}, [], {}
    for word in words.split("\0")[:-1]:
        name, equals, value = word.partition("=")
        if word.startswith("--"):
            flags[word[2:]] = True
        elif flags:
            flags[list(flags)[-1]] = json.loads(word) if word.startswith("{") else word
        elif equals and not plain:
            env[name] = value
        else:
            plain.append(word)
    return Printed(env, plain, flags)


@pytest.fixture
def printed(command):
    def call(*arguments: str) -> Printed:
        head, *tail = " ".join(arguments).split(" -- ")
        done = command("vlm", "serve", *head.split(), "--print", *(["--", *tail[0].split()] if tail else []))
        assert (done.code, done.err) == (0, "")
        return read(done.out)

    return call


def test_every_profile_with_a_server_is_tried():
    with_server = {name for name in loader.names() if loader.load(name).serve.variants}
    assert {name.partition(":")[0] for name, _, _ in GOLDEN} | {"nim"} == with_server


@pytest.mark.parametrize(("name", "model", "flags"), GOLDEN, ids=[name for name, _, _ in GOLDEN])
def test_print(printed, name, model, flags):
    command = printed(name)
    assert command.words == ["vllm", "serve", model]
    assert (EVERY_HOUSE | flags).items() <= command.flags.items()
    assert "allowed-local-media-path" not in command.flags
    assert ("kv-cache-dtype" in command.flags) == ("kv-cache-dtype" in flags)
    assert command.env == (
        {"VLLM_VIDEO_LOADER_BACKEND": "opencv"} if name.startswith("nemotron-nano") else {}
    )


def test_print_is_a_line_for_each_flag(command):
    lines = command("vlm", "serve", "nemotron-nano-12b-v2-vl", "--print").out.splitlines()
    assert lines[0] == "VLLM_VIDEO_LOADER_BACKEND=opencv \\"
    assert lines[1] == "vllm serve nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-BF16 \\"
    assert """  --media-io-kwargs '{"video":{"fps":2,"num_frames":128}}' \\""" in lines
    assert all(line.startswith("  --") and line.endswith(" \\") for line in lines[2:-1])
    assert lines[-1] == "  --interleave-mm-strings"


def test_print_of_a_container(command):
    done = command("vlm", "serve", "nim", "--print", "--port", "9001", "--pruning", "0.5")
    made, _, run = done.out.partition("\n")
    assert made == 'mkdir -p "$HOME/.cache/nim"'
    words = shlex.split(run.replace("\\\n", ""))
    assert words[:2] == ["docker", "run"]
    assert words[-1] == "nvcr.io/nim/nvidia/nemotron-nano-12b-v2-vl:1.5.0"
    pairs = set(itertools.pairwise(words))
    assert {
        ("--gpus", "all"),
        ("--runtime", "nvidia"),
        ("--shm-size", "32GB"),
        ("--env", "NGC_API_KEY"),
    } <= pairs
    assert {("--publish", "127.0.0.1:9001:8000"), ("--env", "NIM_VIDEO_PRUNING_RATE=0.5")} <= pairs
    assert ("--volume", "$HOME/.cache/nim:/opt/nim/.cache") in pairs
    assert '"$(id -u)"' in run
    assert "vidagent ask VIDEO QUESTION --base-url http://127.0.0.1:9001/v1\n" in done.err
    assert command("vlm", "serve", "nim", "--port", "9001", "--pruning", "0.5").out == done.out


def test_what_the_user_asks_for_goes_before_the_profile(printed, tmp_path):
    asked = (
        "nemotron-nano-12b-v2-vl --host 0.0.0.0 --port 9000 --tensor-parallel 2 --data-parallel 4 --context 32768 "
        f"--pruning 0.5 --media-path {tmp_path} --vllm /opt/vllm -- --seed 7 --dtype float16 --enforce-eager"
    )
    command = printed(asked)
    wanted = {
        "host": "0.0.0.0", "port": "9000", "tensor-parallel-size": "2", "data-parallel-size": "4",
        "max-model-len": "32768", "video-pruning-rate": "0.5", "allowed-local-media-path": str(tmp_path),
        "seed": "7", "dtype": "float16", "enforce-eager": True,
    }  # fmt: skip
    assert command.words[:2] == ["/opt/vllm", "serve"]
    assert wanted.items() <= command.flags.items()
    assert list(command.flags)[-3:] == ["seed", "dtype", "enforce-eager"]


@pytest.mark.parametrize(
    ("folder", "served"),
    [("Qwen3-VL-32B-Instruct", "Qwen3-VL-32B-Instruct"), ("step-900", "Qwen/Qwen3-VL-8B-Instruct")],
)
def test_a_folder_is_served_under_a_name_that_leads_to_the_profile(printed, tmp_path, folder, served):
    checkpoint = tmp_path / folder
    checkpoint.mkdir()
    command = printed(f"qwen3-vl --model {checkpoint}")
    assert command.words == ["vllm", "serve", str(checkpoint)]
    assert command.flags["served-model-name"] == served
    assert loader.match(served).name == "qwen3-vl"


def test_a_model_by_name_keeps_it(printed):
    command = printed("qwen3-vl --model Qwen/Qwen3-VL-32B-Instruct")
    assert command.words == ["vllm", "serve", "Qwen/Qwen3-VL-32B-Instruct"]
    assert "served-model-name" not in command.flags


def test_a_profile_of_the_users_own(printed, tmp_path):
    own = tmp_path / "mine.toml"
    own.write_text(
        """
        [serve.env]
        A_B = "it's"
        [serve.flags]
        enable-prefix-caching = false
        seed = 3
        middleware = ["one.py", "two.py"]
        hf-overrides = { rope = { factor = 2.0 } }
        [serve.variants.small]
        model = "acme/see-1b"
        [serve.variants.big]
        model = "acme/see-9b"
        flags = { seed = 4 }
        env = { C = "1" }
        """
    )
    small, big = printed(str(own)), printed(f"{own}:big")
    assert (small.words[-1], small.flags["seed"], small.env) == ("acme/see-1b", "3", {"A_B": "it's"})
    assert (big.words[-1], big.flags["seed"], big.env) == ("acme/see-9b", "4", {"A_B": "it's", "C": "1"})
    assert "enable-prefix-caching" not in small.flags
    assert small.flags["trust-request-mm-kwargs"] is True
    assert small.flags["hf-overrides"] == {"rope": {"factor": 2.0}}
    assert small.flags["middleware"] == "two.py"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("qwen4-vl", "no profile 'qwen4-vl'; there are anthropic, cosmos, default, "),
        ("qwen3-vl:9b", "profile qwen3-vl has no variant '9b'; there are 8b, 4b, 2b, 32b-fp8, 30b-a3b"),
        ("default:bf16", "profile default has no variant 'bf16'; it has none"),
        ("default", "profile default names no model to serve; name one with --model"),
        ("/no/such.toml", "profile /no/such.toml cannot be read"),
        ("tiny --pruning 1", "--pruning must be at least 0 and less than 1, got 1"),
        ("tiny --pruning -0.5", "--pruning must be at least 0 and less than 1, got -0.5"),
        ("tiny --pruning nan", "--pruning must be at least 0 and less than 1, got nan"),
        ("tiny --port 0", "--port must be 1 to 65535, got 0"),
        ("tiny --port http", "--port must be a whole number, 1 to 65535; got 'http'"),
        ("tiny --tensor-parallel 1.5", "--tensor-parallel must be a whole number, at least 1; got '1.5'"),
        ("tiny --data-parallel two", "--data-parallel must be a whole number, at least 1; got 'two'"),
        ("tiny --context 32k", "--context must be a whole number, at least 1; got '32k'"),
        ("tiny --pruning half", "--pruning must be a number, at least 0 and less than 1; got 'half'"),
        ("tiny --wait 1h", "--wait must be a number, more than 0; got '1h'"),
        ("tiny --restarts no", "--restarts must be a whole number, at least 0; got 'no'"),
        ("tiny --port 65536", "--port must be 1 to 65535, got 65536"),
        ("tiny --tensor-parallel 0", "--tensor-parallel must be at least 1, got 0"),
        ("tiny --data-parallel -2", "--data-parallel must be at least 1, got -2"),
        ("tiny --context 0", "--context must be at least 1, got 0"),
        ("tiny --wait 0", "--wait must be more than 0 seconds, got 0"),
        ("tiny --restarts -1", "--restarts must be at least 0, got -1"),
        ("tiny --model /no/such", "--model must be a checkpoint that is there, or a name; got '/no/such'"),
        ("tiny --media-path /no/such", "--media-path must be a folder that is there, got '/no/such'"),
        ("tiny --vllm /no/vllm", "--vllm must be a program that can be run, got '/no/vllm'"),
        ("tiny seed", "flags for the server come after --, such as -- --seed 7; got 'seed'"),
        ("tiny --seed 7", "No such option: --seed"),
        ("tiny -- --port 7", "--port belongs before the --"),
        (
            "nim --context 5",
            "--context is for vllm serve; the container of profile nim takes its settings from",
        ),
    ],
)
def test_bad_values(command, asked, words):
    done = command("vlm", "serve", *asked.split())
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert done.err.count("\n") == 1


def test_without_vllm_the_error_says_how_to_install_it(command, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(launcher.sys, "executable", str(tmp_path / "python"))
    done = command("vlm", "serve", "tiny")
    assert done.code == 2
    assert "pip install 'vidagent[vllm]'" in done.err


@pytest.mark.parametrize("on_path", [True, False])
def test_vllm_is_found_on_the_path_before_beside_python(monkeypatch, tmp_path, on_path):
    for place in ("path", "venv"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "vllm").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "path") if on_path else "/nowhere")
    monkeypatch.setattr(launcher.sys, "executable", str(tmp_path / "venv" / "python"))
    assert Path(launcher.find_program(None)).parent.name == ("path" if on_path else "venv")


@pytest.mark.parametrize(
    ("host", "extra", "url", "open_to_others"),
    [
        ("127.0.0.1", (), "http://127.0.0.1:8000/v1", False),
        ("localhost", (), "http://localhost:8000/v1", False),
        ("::1", (), "http://[::1]:8000/v1", False),
        ("0.0.0.0", (), "http://127.0.0.1:8000/v1", True),
        ("::", (), "http://[::1]:8000/v1", True),
        ("192.0.2.7", (), "http://192.0.2.7:8000/v1", True),
        ("0.0.0.0", ("--api-key=x",), "http://127.0.0.1:8000/v1", False),
    ],
)
def test_where_a_server_is_and_who_may_reach_it(monkeypatch, host, extra, url, open_to_others):
    monkeypatch.delenv("VLLM_API_KEY", raising=False)
    options = Options(host=host, extra=extra)
    assert (base_url(options), options.open_to_others) == (url, open_to_others)
