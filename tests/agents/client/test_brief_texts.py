"""Messages whose data are shortened for a small context."""

from __future__ import annotations

import pytest
from langchain_core.messages import HumanMessage

from vidagent.agents.client.brief_texts import brief
from vidagent.agents.prompting.messages import block


@pytest.mark.parametrize("name", ["ledger", "notes", "earlier", "facts", "overview"])
def test_data_of_each_block_are_shortened_and_questions_are_not(name):
    (short,) = brief([HumanMessage(block(name, "word " * 100))], 60)
    assert len(short.content) < 120
    assert short.content.startswith(f"<{name}>\n")
    assert short.content.endswith(f"\n</{name}>")
    assert brief([HumanMessage(block("question", "word " * 100))], 60) is None
