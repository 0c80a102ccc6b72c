"""The guides' request forms, by our client and by curl: a real server counts the same prompt tokens for both."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest

from tests.live.forms import FORMS, Form, Media, shelved
from tests.live.server import Server
from vidagent.agents.direct.vlm import VLM

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.network,
    pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here"),
]

each_form = pytest.mark.parametrize("form", FORMS, ids=[f"{form.guide}: {form.name}" for form in FORMS])
TOLD = [form for form in FORMS if re.search("tiles|fps|frames|image by URL$|video by path", form.name)]
parsed_by_itself = [form for form in FORMS if form.name != "tool calling"]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Media]:
    with shelved(tmp_path_factory.mktemp("media")) as media:
        yield media


async def both(server: Server, form: Form, media: Media) -> tuple[list[int], list[int]]:
    """Return what our client's requests cost, and what curl's do."""
    vlm = VLM.connect(server.url, server.model, profile=form.profile)
    return await form.ours(vlm, media), form.plain(server.url, server.model, media)


@each_form
async def test_a_form_costs_the_same_prompt_as_by_curl(tiny_server, media, form):
    ours, plain = await both(tiny_server, form, media)
    assert ours == plain
    assert len(plain) == len(form.bodies)


@pytest.mark.parametrize("form", parsed_by_itself, ids=[form.name for form in parsed_by_itself])
async def test_a_form_costs_the_same_prompt_with_tiles_and_one_token_count_a_frame(
    nemotron_server, media, form
):
    """The shape of the guides' model; its server has no parser of function calls, which curl would need."""
    ours, plain = await both(nemotron_server, form, media)
    assert ours == plain


async def test_tiles_frames_and_rates_change_what_a_prompt_costs(nemotron_server, media):
    """Were an option left out on both sides, the counts would be the same, too."""
    cost = {
        (form.guide, form.name): form.plain(nemotron_server.url, nemotron_server.model, media)
        for form in TOLD
    }
    assert cost["NIM", "image in up to 3 tiles"] < cost["NIM", "image by URL"]
    assert cost["vLLM", "video, 16 frames"] < cost["vLLM", "video, 2 fps"] == cost["vLLM", "video by path"]
    assert cost["vLLM", "video, 2 fps"] < cost["vLLM", "video, 8 fps, most 128"]
    assert cost["NIM", "video, 1 fps"] < cost["NIM", "video, 16 frames"] < cost["NIM", "video, 3 fps"]
