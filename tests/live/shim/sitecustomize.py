"""Let torchvision's Python part load with a torch for the CPU; Python imports this file as it starts.

The index offers torchvision as a CUDA build only, whose compiled operators do not load here. Its Python part
registers shapes for them at import and fails where they were never declared. The models made for the tests use none
of them, so declaring is enough; it is done when torchvision is first looked for, as most processes never do.

`VIDAGENT_TEST_LAST_PATH` names a folder of packages to be found after all others: engines in process need vidagent's
own in every process, and vLLM's environment goes without them.
"""

from __future__ import annotations

import os
import sys
from importlib.abc import MetaPathFinder

_OPERATORS = (
    "deform_conv2d _deform_conv2d_backward nms ps_roi_align _ps_roi_align_backward ps_roi_pool "
    "_ps_roi_pool_backward qnms qroi_align roi_align _roi_align_backward roi_pool _roi_pool_backward"
).split()


class _BeforeTorchvision(MetaPathFinder):
    """Finds nothing; declares the operators when torchvision is looked for."""

    library: object = None

    def find_spec(self, name: str, *_: object) -> None:
        if name == "torchvision" and self.library is None:
            import torch

            self.library = torch.library.Library("torchvision", "DEF")
            for operator in _OPERATORS:
                self.library.define(f"{operator}(Tensor a) -> Tensor")


sys.meta_path.insert(0, _BeforeTorchvision())
sys.path += filter(None, [os.environ.get("VIDAGENT_TEST_LAST_PATH")])
