"""Which profile each current model gets, on which server, and whether vLLM takes the flags of those that it serves."""

from pathlib import Path

import pytest

from vidagent.agents.profiles import loader
from vidagent.serve.vlm import command

VLLM_FLAGS = frozenset((Path(__file__).parent / "vllm_0.33_flags.txt").read_text().split())
"""The flags of `vllm serve` in the source of vLLM 0.33.0 (engine/arg_utils.py, entrypoints/common/cli_args.py)."""
TOOL_PARSERS = {
    "hermes",
    "qwen3_coder",
    "gemma4",
    "glm45",
    "kimi_k2",
    "kimi_k3",
    "step3p5",
    "step5",
    "ernie45",
}
REASONING_PARSERS = {
    "qwen3",
    "gemma4",
    "glm45",
    "kimi_k2",
    "kimi_k3",
    "step3p5",
    "step5",
    "minicpmv",
    "nemotron_v3",
}
"""The parsers in use that vLLM 0.33.0 registers (tool_parsers/__init__.py, reasoning/__init__.py)."""

CURRENT = {
    "Qwen/Qwen3-VL-4B-Instruct": "qwen3-vl",
    "Qwen/Qwen3-VL-235B-A22B-Thinking-FP8": "qwen3-vl-thinking",
    "Qwen/Qwen3.5-9B": "qwen3.5",
    "Qwen/Qwen3.6-27B-FP8": "qwen3.5",
    "Qwen/Qwen3.8-27B-FP8": "qwen3.5",
    "Qwen/Qwen4Exp": "qwen3.5",
    "Qwen/Qwen2.5-VL-7B-Instruct-AWQ": "qwen2.5-vl",
    "zai-org/GLM-4.1V-9B-Thinking": "glm-4.6v",
    "zai-org/GLM-4.5V-FP8": "glm-4.6v",
    "zai-org/GLM-4.6V-Flash": "glm-4.6v",
    "zai-org/GLM5Next": "glm-4.6v",
    "google/gemma-4-12b-it": "gemma-4",
    "google/gemma-4-E4B-it": "gemma-4",
    "openbmb/MiniCPM-V-4_6": "minicpm-v",
    "openbmb/MiniCPM-V-4.7": "minicpm-v",
    "allenai/Molmo2-8B": "molmo2",
    "OpenGVLab/InternVL3_5-8B": "internvl3.5",
    "internlm/Intern-S2-Preview": "intern-s2",
    "moonshotai/Kimi-K2.5": "kimi-k2.5",
    "moonshotai/Kimi-K3": "kimi-k3",
    "stepfun-ai/Step-3.7-Flash": "step",
    "stepfun-ai/Step-5": "step-5",
    "nvidia/Cosmos3-Edge": "cosmos",
    "nvidia/Cosmos-Reason2-8B": "cosmos",
    "nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-FP8": "nemotron-nano-12b-v2-vl",
    "nvidia/Nemotron-3-Nano-Omni-30B-A3B-Reasoning-BF16": "nemotron-3-nano-omni",
    "nvidia/Nemotron-3-Super-Omni-Reasoning": "nemotron-3-super-omni",
    "Kwai-Keye/Keye-VL-1_5-8B": "keye",
    "AIDC-AI/Ovis2.5-9B": "ovis2.5",
    "AIDC-AI/Ovis2.6-30B-A3B": "ovis2.5",
    "nvidia/Eagle2.5-8B": "eagle2.5",
    "lmms-lab/LLaVA-OneVision-2-8B": "llava-onevision-2",
    "baidu/ERNIE-4.5-VL-28B-A3B-PT": "ernie-4.5-vl",
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct": "smolvlm",
    "qwen3-vl:8b": "qwen3-vl",
    "qwen3.5:4b": "qwen3.5",
    "qwen2.5vl:7b": "qwen2.5-vl",
    "gemma-4-12b-it-Q4_K_M.gguf": "gemma-4",
    "gpt-5.5-mini": "openai",
    "models/gemini-3-flash": "gemini",
    "claude-sonnet-5": "anthropic",
}
ON_SERVERS = [
    ("qwen3.5:4b", "http://127.0.0.1:11434/v1", None, "qwen3.5+ollama"),
    ("moondream", "http://10.0.0.5:9999/v1", "library", "ollama"),
    ("gemma-4-12b-it-Q4_K_M.gguf", "http://127.0.0.1:8080/v1", "llamacpp", "gemma-4+llamacpp"),
    ("qwen2.5-vl-7b-instruct", "http://127.0.0.1:1234/v1", "organization_owner", "qwen2.5-vl+lmstudio"),
    ("Qwen/Qwen3-VL-8B-Instruct", "http://127.0.0.1:30000/v1", "sglang", "qwen3-vl+sglang"),
    ("gpt-5.5", "https://api.openai.com/v1", "system", "openai"),
    ("gemini-3-pro", "https://generativelanguage.googleapis.com/v1beta/openai", None, "gemini"),
    ("claude-opus-5", "https://api.anthropic.com/v1", None, "anthropic"),
    ("google/gemini-3-flash", "https://openrouter.ai/api/v1", None, "gemini+openrouter"),
    ("nvidia/nemotron-nano-12b-v2-vl", "https://integrate.api.nvidia.com/v1", None, "nim+nvidia"),
    ("Qwen/Qwen3-VL-8B-Instruct", "http://127.0.0.1:8000/v1", "vllm", "qwen3-vl"),
]


@pytest.mark.parametrize(("model", "name"), CURRENT.items())
def test_every_current_model_has_a_profile(model, name):
    assert loader.match(model).name == name


@pytest.mark.parametrize(("model", "where", "owner", "name"), ON_SERVERS)
def test_the_profile_of_a_server_is_laid_over_that_of_the_model(model, where, owner, name):
    assert loader.match(model, where, owner).name == name


def test_what_a_local_server_changes():
    alone, laid_over = loader.match("qwen3.5:4b"), loader.match("qwen3.5:4b", "http://127.0.0.1:11434/v1")
    assert laid_over.thinking.off_body == {"reasoning_effort": "none"}
    assert laid_over.thinking.can is alone.thinking.can is True
    assert laid_over.sampling == alone.sampling
    assert (laid_over.media.image_ids, laid_over.media.per_request, laid_over.look_concurrency) == (
        False,
        False,
        1,
    )


VLLM = [
    name
    for name in loader.names()
    if (loader.load(name).serve.runner == "vllm" and not loader.load(name).hosts)
]


@pytest.mark.parametrize("name", VLLM)
def test_vllm_takes_the_command_line_of_every_profile(name):
    target = command.find(name)
    made = command.vllm_command(target, command.Options(model=None if target.variant else "org/model"))
    flags = {word.removeprefix("--") for line in made.lines for word in line if word.startswith("--")}
    assert flags <= VLLM_FLAGS
    serve = target.profile.serve.flags
    assert serve.get("tool-call-parser", "hermes") in TOOL_PARSERS
    assert serve.get("reasoning-parser", "qwen3") in REASONING_PARSERS
