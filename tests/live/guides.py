"""The curl bodies of the guides to Nemotron Nano 12B v2 VL on vLLM and behind NIM, as they stand there.

Forms that the guides give in Python or in words only are written in the same way.
"""

# ruff: noqa: E501 - lines as long as the guides have them
from __future__ import annotations

BOARDWALK = (
    "https://upload.wikimedia.org/wikipedia/commons/thumb/d/dd/Gfp-wisconsin-madison-the-nature-boardwalk.jpg/"
    "2560px-Gfp-wisconsin-madison-the-nature-boardwalk.jpg"
)
SCENE = (
    "https://blogs.nvidia.com/wp-content/uploads/2023/04/nvidia-studio-itns-wk53-scene-in-omniverse-1280w.mp4"
)
MODELS = ("nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-BF16", "nvidia/nemotron-nano-12b-v2-vl")
IMAGE_FILE, VIDEO_FILE = "file:///path/to/image.jpg", "file:///path/to/video.mp4"
ELLIPSIS = "SGVsbG8gZGVh...ciBmZWxsb3chIQ=="
"""Stands for the base64 of a file."""

_VLLM_VIDEO = """{
"model": "nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-BF16",
"messages": [{"role": "user", "content": [{"type": "text", "text": "Describe the video."}, {"type": "video_url", "video_url": {"url": "file:///path/to/video.mp4"}}]}]%s
}"""
_VLLM_IMAGE = """{
"model": "nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-BF16",
"messages": [{"role": "user", "content": [{"type": "text", "text": "Describe the image."}, {"type": "image_url", "image_url": {"url": "file:///path/to/image.jpg"}}]}]%s
}"""
_NIM = """{
"model": "nvidia/nemotron-nano-12b-v2-vl",
"messages": [
{
"role": "user",
"content": [
{
"type": "text",
"text": "What is in this %(what)s?"
},
{
"type": "%(what)s_url",
"%(what)s_url":
{
"url": "%(url)s"
}
}
]
}
],
"max_tokens": 1024%(more)s
}"""


def _nim(what: str, url: str, more: str = "") -> str:
    return _NIM % {"what": what, "url": url, "more": more}


VIDEO = _VLLM_VIDEO % ""
IMAGE = _VLLM_IMAGE % ""
IMAGE_TILES = _VLLM_IMAGE % ',\n"mm_processor_kwargs": {"max_num_tiles": 12}'
VIDEO_FPS_AND_MOST = _VLLM_VIDEO % ',\n"media_io_kwargs": {"video": {"fps": 8, "num_frames": 128}}'
VIDEO_FPS = _VLLM_VIDEO % ',\n"media_io_kwargs": {"video": {"fps": 2, "num_frames": 128}}'
VIDEO_FRAMES = _VLLM_VIDEO % ',\n"media_io_kwargs": {"video": {"num_frames": 16}}'

NIM_IMAGE = _nim("image", BOARDWALK)
NIM_STREAM = _nim("image", BOARDWALK, ',\n"stream": true')
NIM_IMAGE_DATA = _nim("image", f"data:image/jpeg;base64,{ELLIPSIS}")
NIM_VIDEO = _nim("video", SCENE)
NIM_VIDEO_DATA = _nim("video", f"data:video/mp4;base64,{ELLIPSIS}")
NIM_FPS = _nim("video", SCENE, ',\n"media_io_kwargs": {"video": { "fps": 3.0 }}')
NIM_SLOW = _nim("video", SCENE, ',\n"media_io_kwargs": {"video": {"fps": 1.0}}')
NIM_FRAMES = _nim("video", SCENE, ',\n"media_io_kwargs": {"video": { "num_frames": 16 }}')
NIM_TILES = _nim("image", BOARDWALK, ',\n"mm_processor_kwargs": {"max_num_tiles": 3}')
NIM_THINK = """{
"model": "nvidia/nemotron-nano-12b-v2-vl",
"messages": [
{
"role": "system",
"content": "/think"
},
{
"role": "user",
"content": [
{
"type": "text",
"text": "What is in this image?"
},
{
"type": "image_url",
"image_url":
{
"url": "https://upload.wikimedia.org/wikipedia/commons/thumb/d/dd/Gfp-wisconsin-madison-the-nature-boardwalk.jpg/2560px-Gfp-wisconsin-madison-the-nature-boardwalk.jpg"
}
}
]
}
],
"max_tokens": 4096
}"""
NIM_TEXT = """{
"model": "nvidia/nemotron-nano-12b-v2-vl",
"messages": [
{
"role": "system",
"content": "You are a helpful assistant"
},
{
"role": "user",
"content": "Create a detailed itinerary for a week-long adventure trip through Southeast Asia."
}
],
"max_tokens": 4096
}"""
NIM_TURNS = """{
"model": "nvidia/nemotron-nano-12b-v2-vl",
"messages": [
{
"role": "user",
"content": [
{
"type": "text",
"text": "What is in this image?"
},
{
"type": "image_url",
"image_url":
{
"url": "https://upload.wikimedia.org/wikipedia/commons/thumb/d/dd/Gfp-wisconsin-madison-the-nature-boardwalk.jpg/2560px-Gfp-wisconsin-madison-the-nature-boardwalk.jpg"
}
}
]
},
{
"role": "assistant",
"content": "This image shows a boardwalk in a field of tall grass. ..."
},
{
"role": "user",
"content": "What would be the best season to visit this place?"
}
],
"max_tokens": 4096
}"""
_NIM_QUESTION = """{
"model": "nvidia/nemotron-nano-12b-v2-vl",
"messages": [
{
"role": "user",
"content": [
{"type": "text", "text": "%s"},
{"type": "video_url", "video_url": {"url": "https://blogs.nvidia.com/wp-content/uploads/2023/04/nvidia-studio-itns-wk53-scene-in-omniverse-1280w.mp4"}}
]
}
],
"max_tokens": 1024
}"""
NIM_BATCH = tuple(
    _NIM_QUESTION % prompt
    for prompt in ("What is happening in this video?", "Describe the main objects in this video.")
)
NIM_TOOLS = """{
"model": "nvidia/nemotron-nano-12b-v2-vl",
"messages": [
{
"role": "user",
"content": "What is the weather like in San Francisco?"
}
],
"tools": [
{
"type": "function",
"function": {
"name": "get_current_weather",
"description": "Get the current weather in a given location",
"parameters": {
"type": "object",
"properties": {
"location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
"unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}
},
"required": ["location"]
}
}
}
],
"max_tokens": 1024
}"""

IMAGES = """{
"model": "nvidia/nemotron-nano-12b-v2-vl",
"messages": [{"role": "user", "content": [
{"type": "text", "text": "Is this the same place twice?"},
{"type": "image_url", "image_url": {"url": "https://upload.wikimedia.org/wikipedia/commons/thumb/d/dd/Gfp-wisconsin-madison-the-nature-boardwalk.jpg/2560px-Gfp-wisconsin-madison-the-nature-boardwalk.jpg"}},
{"type": "image_url", "image_url": {"url": "file:///path/to/image.jpg"}}
]}]
}"""
IMAGE_AND_VIDEO = """{
"model": "nvidia/nemotron-nano-12b-v2-vl",
"messages": [{"role": "user", "content": [
{"type": "text", "text": "Is this image from this video?"},
{"type": "image_url", "image_url": {"url": "file:///path/to/image.jpg"}},
{"type": "video_url", "video_url": {"url": "file:///path/to/video.mp4"}}
]}]
}"""
