"""Small clips of every kind that has tripped a decoder, each frame saying which it is.

`python -m tests.media.make FOLDER [NAME ...]` writes them; tests get them from the fixture `clips`.
"""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.media.code import SIZE_WH, Code, draw_code
from tests.media.kept import kept_file

MS = Fraction(1, 1000)
FRAME = Fraction(1, 25)
STEADY = tuple(40 * number for number in range(200))
X264 = {"crf": "18", "preset": "veryfast", "bf": "3", "g": "48", "sc_threshold": "0"}


@dataclass(frozen=True)
class Clip:
    """A clip and what is known of it.

    Args:
        path: The file.
        offset_s: Time on the clock of the frame whose code says 0 ms.
        tolerance_s: How far the container's ticks round times.
    """

    path: Path
    offset_s: float = 0.0
    tolerance_s: float = 0.0006


def uneven_times() -> tuple[int, ...]:
    """Return frame times of a variable rate, with two gaps longer than two seconds."""
    rng = random.Random(7)
    steps = [rng.choice([17, 33, 40, 66, 100, 400]) for _ in range(110)]
    steps[40] = 2500
    steps[80] = 3100
    return tuple(int(t) for t in np.cumsum([0, *steps]))


def encode(
    path: Path,
    times_ms: Sequence[int] = STEADY,
    *,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    pix_fmt: str = "yuv420p",
    start_ms: int = 0,
    turned_deg: int = 0,
    tone_s: float = 0.0,
    mux: dict[str, str] | None = None,
    unit: Fraction = MS,
) -> None:
    """Encode one frame for each time.

    Args:
        path: File to write.
        times_ms: Times of the frames, from 0.
        codec: FFmpeg encoder.
        options: Its options.
        pix_fmt: Pixel format of the coded frames.
        start_ms: Added to every PTS.
        turned_deg: Clockwise turn that a player has to make.
        tone_s: Seconds of sound from PTS 0 on.
        mux: Options of the muxer.
        unit: Seconds per tick of the encoder.
    """
    turned = (turned_deg, tone_s, mux, unit)
    key = ("clip", path.suffix, tuple(times_ms), codec, options, pix_fmt, start_ms, *turned)
    coded = X264 if options is None else options
    kept_file(path, key, lambda to: _encode(to, times_ms, codec, coded, pix_fmt, start_ms, *turned))


def _encode(
    path: Path,
    times_ms: Sequence[int],
    codec: str,
    options: dict[str, str],
    pix_fmt: str,
    start_ms: int,
    turned_deg: int,
    tone_s: float,
    mux: dict[str, str] | None,
    unit: Fraction,
) -> None:
    os.environ.setdefault("SVT_LOG", "1")
    with _usual_scheduling(), av.open(str(path), "w", options=mux or {}) as out:
        stream = out.add_stream(codec, rate=25, options=options)
        width, height = SIZE_WH if turned_deg % 180 == 0 else SIZE_WH[::-1]
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = unit
        stream.time_base = unit
        if turned_deg:
            stream.set_display_rotation(-turned_deg)
        sound = out.add_stream("aac", rate=48000, layout="mono") if tone_s else None
        if sound is not None:
            _write_tone(out, sound, tone_s)
        for number, millis in enumerate(times_ms):
            rgb = np.rot90(draw_code(Code(number, millis)), turned_deg // 90)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame = frame.reformat(format=pix_fmt)
            frame.pts, frame.time_base = int((millis + start_ms) * MS / unit), unit
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def _write_tone(out, sound, seconds: float) -> None:
    times = np.arange(int(seconds * 48000)) / 48000
    wave = (0.1 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
    for first in range(0, len(wave), 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, first : first + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, first, Fraction(1, 48000)
        out.mux(sound.encode(frame))
    out.mux(sound.encode())


def ffmpeg(*arguments: str | Path) -> None:
    """Run the ffmpeg binary of the imageio-ffmpeg wheel."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=60)


def at_rate(rate: Fraction, count: int = 200) -> dict[str, object]:
    """Return options of `encode` for frames whose times are no whole milliseconds; their codes are rounded up."""
    return {"times_ms": tuple(math.ceil(1000 * number / rate) for number in range(count)), "unit": 1 / rate}


@contextmanager
def _usual_scheduling() -> Iterator[None]:
    """Undo what SVT-AV1 does as root: it gives the calling thread, and so all later children, real-time priority."""
    if sys.platform != "linux":
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def _encoded(name: str, **options: object) -> Callable[[Path], Clip]:
    offset_s = float(options.pop("offset_s", 0.0))
    tolerance_s = float(options.pop("tolerance_s", Clip.tolerance_s))

    def make(folder: Path) -> Clip:
        encode(folder / name, **options)
        return Clip(folder / name, offset_s, tolerance_s)

    return make


def _edit_list(folder: Path) -> Clip:
    """Cut at 1.3 s without encoding anew: the file holds the group from 0 s on, the edit list hides its start."""
    encode(folder / "whole.mp4", tone_s=8)
    ffmpeg("-ss", "1.3", "-i", folder / "whole.mp4", "-c", "copy", folder / "edit_list.mp4")
    return Clip(folder / "edit_list.mp4", -1.32)


def _subtitled(suffix: str, codec: str) -> Callable[[Path], Clip]:
    def make(folder: Path) -> Clip:
        lines, path = folder / "lines.srt", folder / f"subtitled{suffix}"
        lines.write_text(SUBTITLES)
        encode(folder / f"bare{suffix}")
        inputs = ["-i", folder / f"bare{suffix}", "-i", lines]
        ffmpeg(*inputs, "-c:v", "copy", "-c:s", codec, "-metadata:s:s:0", "language=eng", path)
        return Clip(path)

    return make


def _transport_offset(folder: Path) -> Clip:
    encode(folder / "plain.mp4")
    ffmpeg("-i", folder / "plain.mp4", "-c", "copy", "-output_ts_offset", "100", folder / "start_100.ts")
    return Clip(folder / "start_100.ts")


def _false_keyframes(name: str, **options: object) -> Callable[[Path], Clip]:
    """Mark pictures as keyframes that are none: after a seek to one, everything is broken."""

    def make(folder: Path) -> Clip:
        source = folder / f"one_group_{name}"
        encode(source, **options)
        with av.open(str(source)) as given, av.open(str(folder / name), "w") as out:
            stream = out.add_stream_from_template(given.streams.video[0])
            for number, packet in enumerate(given.demux(video=0)):
                if packet.dts is not None:
                    packet.stream = stream
                    packet.is_keyframe = number % 50 == 0
                    out.mux(packet)
        return Clip(folder / name)

    return make


def spoil(path: Path, to: Path, packet: int) -> None:
    """Copy a file, the second half of one packet of its video overwritten."""
    with av.open(str(path)) as container:
        coded = [given for given in container.demux(video=0) if given.size][packet]
        first, last = coded.pos + coded.size // 2, coded.pos + coded.size
    data = bytearray(path.read_bytes())
    data[first:last] = bytes(0x5A ^ byte for byte in data[first:last])
    to.write_bytes(data)


SUBTITLES = """1
00:00:01,000 --> 00:00:02,500
<i>Good</i> morning

2
00:00:04,000 --> 00:00:05,000
two
lines
"""
UNEVEN = uneven_times()
X265 = {"preset": "ultrafast", "x265-params": "log-level=none:keyint=48:bframes=3:crf=20"}
X265_LONG = {"preset": "ultrafast", "x265-params": "log-level=none:keyint=1000:scenecut=0:bframes=0:crf=20"}
VP9 = {"cpu-used": "8", "deadline": "realtime", "b": "600k", "g": "48", "sc_threshold": "0"}
VP9_HIDDEN = {
    "cpu-used": "8",
    "deadline": "good",
    "b": "600k",
    "g": "48",
    "lag-in-frames": "16",
    "auto-alt-ref": "1",
}
AV1 = {"preset": "8", "crf": "5", "g": "48", "svtav1-params": "lp=1"}
OPEN_GROUPS = {**X264, "x264-params": "open-gop=1:keyint=25:min-keyint=25:bframes=3:b-adapt=0:scenecut=0"}
OPEN_HEVC = {
    "preset": "ultrafast",
    "x265-params": "log-level=none:keyint=25:open-gop=1:bframes=4:b-adapt=0:crf=20",
}
REFRESH = {**X264, "x264-params": "intra-refresh=1:keyint=48:bframes=0"}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}

CLIPS: dict[str, Callable[[Path], Clip]] = {
    "h264": _encoded("h264.mp4", tone_s=8),
    "h264_mkv": _encoded("h264.mkv", tone_s=8),
    "h264_10bit": _encoded("h264_10bit.mp4", pix_fmt="yuv420p10le"),
    "full_range": _encoded("full_range.mp4", pix_fmt="yuvj420p"),
    "subtitled_mp4": _subtitled(".mp4", "mov_text"),
    "subtitled_mkv": _subtitled(".mkv", "srt"),
    "open_gop": _encoded("open_gop.mp4", options=OPEN_GROUPS),
    "vfr_mp4": _encoded("vfr.mp4", times_ms=UNEVEN),
    "vfr_mkv": _encoded("vfr.mkv", times_ms=UNEVEN),
    "live_mkv": _encoded("live.mkv", times_ms=UNEVEN, mux={"live": "1"}),
    "turned_90": _encoded("turned_90.mp4", turned_deg=90),
    "turned_180": _encoded("turned_180.mp4", turned_deg=180),
    "turned_270": _encoded("turned_270.mp4", turned_deg=270),
    "edit_list": _edit_list,
    "start_10_mp4": _encoded("start_10.mp4", start_ms=10_000),
    "start_10_mkv": _encoded("start_10.mkv", start_ms=10_000),
    "start_100_ts": _transport_offset,
    "late_video_mp4": _encoded("late_video.mp4", start_ms=300, tone_s=8, offset_s=0.3),
    "late_video_mkv": _encoded("late_video.mkv", start_ms=300, tone_s=8, offset_s=0.3),
    "hevc": _encoded("hevc.mp4", codec="libx265", options=X265),
    "hevc_10bit": _encoded("hevc_10bit.mp4", codec="libx265", options=X265, pix_fmt="yuv420p10le"),
    "hevc_open_gop": _encoded("hevc_open_gop.mp4", codec="libx265", options=OPEN_HEVC),
    "vp9": _encoded("vp9.webm", codec="libvpx-vp9", options=VP9),
    "vp9_hidden": _encoded("vp9_hidden.webm", codec="libvpx-vp9", options=VP9_HIDDEN),
    "av1": _encoded("av1.mp4", codec="libsvtav1", options=AV1),
    "av1_mkv": _encoded("av1.mkv", codec="libsvtav1", options=AV1),
    "mpegts": _encoded("h264.ts", tone_s=8, offset_s=1024 / 48000),
    "mpegts_hevc": _encoded("hevc.ts", codec="libx265", options=X265),
    "mpegts_mpeg2": _encoded(
        "mpeg2.ts", codec="mpeg2video", options={"b": "4M", "g": "12", "bf": "2"}, unit=FRAME
    ),
    "mpeg4_avi": _encoded("mpeg4.avi", codec="mpeg4", options={"b": "2M", "g": "48"}, unit=FRAME),
    "fragmented": _encoded("fragmented.mp4", mux=FRAGMENTS),
    "ntsc": _encoded("ntsc.mp4", tolerance_s=0.0011, **at_rate(Fraction(30_000, 1001))),
    "one_frame": _encoded("one_frame.mp4", times_ms=(0,)),
    "false_keys_h264": _false_keyframes("false_h264.mp4", options={**X264, "g": "1000", "bf": "0"}),
    "false_keys_hevc": _false_keyframes("false_hevc.mp4", codec="libx265", options=X265_LONG),
    "false_keys_mpeg4": _false_keyframes(
        "false_mpeg4.mp4", codec="mpeg4", options={"b": "2M", "g": "600"}, unit=FRAME
    ),
    "false_keys_vp9": _false_keyframes("false_vp9.mkv", codec="libvpx-vp9", options={**VP9, "g": "1000"}),
    "intra_refresh": _encoded("intra_refresh.mp4", options=REFRESH),
}
"""Every kind of clip by name; each is made by calling it with a folder."""


def main() -> None:
    """Write the clips named on the command line, or all."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or CLIPS:
        print(CLIPS[name](folder).path)


if __name__ == "__main__":
    main()
