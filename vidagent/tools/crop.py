"""The crop tool: parts of one frame at full resolution, for small text and details."""

from __future__ import annotations

from typing import Annotated

from langchain_core.tools import StructuredTool
from pydantic import Field, WithJsonSchema

from vidagent.errors import ToolError
from vidagent.images import tiles
from vidagent.tools.context import ToolContext
from vidagent.tools.factory import Question, Seconds, box_argument, described_box, make_tool
from vidagent.tools.result import Look
from vidagent.types import Box

_OVERLAP = 0.1
Grid = Annotated[
    str,
    Field(pattern=r"^\s*\d{1,2}\s*[x×*]\s*\d{1,2}(\s*:\s*\d{1,2}\s*,\s*\d{1,2})?\s*$"),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,2}x\d{1,2}(:\d{1,2},\d{1,2})?$"}),
]


def _boxes(context: ToolContext, box: list[float] | None, grid: str | None) -> list[Box]:
    size_wh = (context.video.info.width, context.video.info.height)
    if (box is None) == (grid is None):
        raise ToolError("give either box or grid, and not both")
    if box is not None:
        x0, y0, x1, y1 = box
        return [tiles.denormalise((x0, y0, x1, y1), (0, 0, *size_wh))]
    text = grid or ""
    try:
        if ":" in text:
            at = tiles.parse_grid(text)
            return [tiles.cell(size_wh, at.rows, at.cols, at.row, at.col, _OVERLAP)]
        shape = tiles.parse_grid(f"{text}:1,1")
        if shape.rows * shape.cols > context.caps.tiles:
            raise ToolError(f"a grid may have up to {context.caps.tiles} cells; got {text}")
        cells = [(row, col) for row in range(1, shape.rows + 1) for col in range(1, shape.cols + 1)]
        return [tiles.cell(size_wh, shape.rows, shape.cols, row, col, _OVERLAP) for row, col in cells]
    except ValueError as error:
        raise ToolError(str(error)) from error


def make(context: ToolContext) -> StructuredTool:
    """Make the tool over one video."""

    def crop(
        time_s: Seconds, question: Question, box: list[float] | None = None, grid: Grid | None = None
    ) -> Look:
        """Look at parts of the one frame shown at a time, at the video's full resolution ({size}).

        For small text, small objects and corners. Say where by box, or by grid: `2x3` shows all cells of 2 rows and 3
        columns (at most {tiles} cells), `2x3:1,3` only the cell in row 1, column 3.

        Args:
            time_s: Time of the frame in seconds, from 0 to {duration:.3f}.
            question: What to look for, in one self-contained sentence.
            box: Where the part is in the whole frame (`box_px` of results are pixels of {size}): {box}.
            grid: ROWSxCOLS, or ROWSxCOLS:ROW,COL.
        """
        notes = () if time_s < context.duration_s else (f"the video ends at {context.duration_s:.3f} s",)
        boxes = _boxes(context, box, grid)
        stills = context.crops(min(time_s, context.duration_s), boxes[: context.grant(len(boxes))])
        at_s = stills[0].time_s
        return Look("crop", question, at_s, at_s + info.frame_s, stills, every_frame=True, notes=notes)

    info = context.video.info
    size_wh, form = (info.width, info.height), context.caps.boxes
    crop.__annotations__["box"] = box_argument(form, size_wh)
    return make_tool(
        crop,
        size=f"{info.width}x{info.height}",
        tiles=context.caps.tiles,
        duration=context.duration_s,
        box=described_box(form, size_wh),
    )
