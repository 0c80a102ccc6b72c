"""What the entry point `lmms_eval.models` names. lmms-eval loads it at each start, so nothing of ours is imported."""

from __future__ import annotations

from lmms_eval.models.registry_v2 import ModelManifest


def manifest() -> ModelManifest:
    """Return the description of the model `vidagent`."""
    return ModelManifest(model_id="vidagent", simple_class_path="vidagent.evaluation.lmms.model.Vidagent")
