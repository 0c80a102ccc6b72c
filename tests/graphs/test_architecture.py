"""The picture of the graph in ARCHITECTURE.md is the graph that runs."""

from __future__ import annotations

import re
from pathlib import Path

from vidagent.graphs.answer_graph import build

PAGE = Path(__file__).parents[2] / "ARCHITECTURE.md"
EDGE = re.compile(r"^\s*(\w+) (-->|-\.->) (\w+)$", re.MULTILINE)
LABEL = re.compile(r'^\s*(\w+)\["\w+<br/>(.*)"\]$', re.MULTILINE)


def picture() -> str:
    """Return the drawing between the markers."""
    [drawn] = re.findall(
        r"<!-- graph -->\n```mermaid\n(.*?)```\n<!-- /graph -->", PAGE.read_text("utf-8"), re.DOTALL
    )
    return drawn


def test_the_picture_has_the_nodes_and_the_edges_of_the_compiled_graph():
    graph = build().get_graph()
    drawn = {(source, target, arrow == "-.->") for source, arrow, target in EDGE.findall(picture())}
    assert drawn == {(edge.source, edge.target, edge.conditional) for edge in graph.edges}
    assert {name for source, target, _ in drawn for name in (source, target)} == set(graph.nodes)


def test_the_picture_names_every_strategy_beside_its_stage():
    told = {name: label.split("<br/>") for name, label in LABEL.findall(picture())}
    metadata = {name: node.metadata for name, node in build().get_graph().nodes.items() if node.metadata}
    lines = {
        name: [f"{stage}: {', '.join(names)}" for stage, names in stages.items()]
        for name, stages in metadata.items()
    }
    assert told == lines, "edit the label of propose in ARCHITECTURE.md"
    assert "sweep" in build().get_graph().draw_mermaid()
