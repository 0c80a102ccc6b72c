"""Asks a vision-language model directly, without the agent."""

from vidagent.agents.direct.attachments import Image, image
from vidagent.agents.direct.question import Question
from vidagent.agents.direct.video_input import Clip, video
from vidagent.agents.direct.vlm import VLM, Reply

__all__ = ["VLM", "Clip", "Image", "Question", "Reply", "image", "video"]
