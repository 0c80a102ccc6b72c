from __future__ import annotations

import numpy as np
import pytest

from tests.media.code import Code, draw_code, read_code
from tests.media.make import CLIPS
from tests.media.truth import sample_times, wrong_frames
from vidagent.errors import UsageError, VideoError
from vidagent.video.decoders import DECODERS, open_decoder
from vidagent.video.decoders.cursor import Cursor

REFUSED = {
    "decord": {
        "edit_list": "edit list",
        "hevc": "HEVC",
        "hevc_10bit": "HEVC",
        "hevc_open_gop": "HEVC",
        "false_keys_hevc": "HEVC",
        "av1": "AV1",
        "av1_mkv": "AV1",
        "mpegts": "MPEG-TS",
        "mpegts_hevc": "MPEG-TS",
        "mpegts_mpeg2": "MPEG-TS",
        "start_100_ts": "MPEG-TS",
        "live_mkv": "cannot open it",
        "false_keys_mpeg4": "keyframes",
        "false_keys_h264": "cannot decode picture|keyframes",
        "false_keys_vp9": "cannot decode picture|keyframes",
        "intra_refresh": "keyframes",
    },
    "torchcodec": {
        "mpegts": "MPEG-TS",
        "mpegts_hevc": "MPEG-TS",
        "mpegts_mpeg2": "MPEG-TS",
        "start_100_ts": "MPEG-TS",
        "false_keys_hevc": "keyframes",
        "false_keys_mpeg4": "keyframes",
        "false_keys_vp9": "cannot decode picture|keyframes",
        "intra_refresh": "keyframes",
    },
}
"""Clips that a decoder must refuse, and a word of its reason; every other clip it must read without an error."""


@pytest.fixture(params=DECODERS)
def opened(request, clip_path):
    """Return a function that opens a clip with one of the decoders, or skip when it is not installed."""
    decoders = []

    def start(name: str):
        try:
            decoders.append(open_decoder(request.param, clip_path(name)))
        except UsageError as error:
            # torchcodec is an extra, and decord has no wheel for every machine.
            pytest.skip(str(error))
        return decoders[-1]

    start.name = request.param
    yield start
    for decoder in decoders:
        decoder.close()


@pytest.mark.parametrize(
    ("opened", "clip"),
    [
        pytest.param(decoder, clip, marks=[] if decoder == "pyav" or clip == "h264" else pytest.mark.slow)
        for decoder in DECODERS
        for clip in CLIPS
    ],
    indirect=["opened"],
)
def test_the_frame_at_a_time_is_that_of_a_full_decode(clip, opened, shelf):
    truth = shelf.truth(clip)
    times_s = sample_times(truth)
    assert len(times_s) >= 16
    refusal = REFUSED.get(opened.name, {}).get(clip)
    if refusal is None:
        assert wrong_frames(opened(clip), truth, times_s) == []
    else:
        with pytest.raises(VideoError, match=refusal):
            wrong_frames(opened(clip), truth, times_s)


@pytest.mark.parametrize("clip", CLIPS)
def test_the_truth_itself_is_whole_and_on_the_clock(clip, shelf):
    truth, made = shelf.truth(clip), shelf.clip(clip)
    numbers = [code.number for code in truth.codes]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for t_s, code in zip(truth.times_s, truth.codes, strict=True):
        assert t_s - code.millis / 1000 == pytest.approx(made.offset_s, abs=made.tolerance_s)


@pytest.mark.parametrize(
    "clip", [name for name in CLIPS if not name.startswith("false_keys") or name.endswith("h264")]
)
def test_dense_frames_and_times_are_those_of_a_full_decode(clip, shelf):
    truth = shelf.truth(clip)
    decoder = open_decoder("pyav", shelf.clip(clip).path)
    last_s = truth.times_s[-1]
    for start_s, end_s in [
        (0.0, last_s + 1),
        (last_s * 0.37, last_s * 0.61),
        (last_s * 0.1, last_s * 0.12),
        (last_s, 99),
    ]:
        wanted = [(t, c) for t, c in zip(truth.times_s, truth.codes, strict=True) if start_s <= t < end_s]
        frames = list(decoder.frames_between(start_s, end_s))
        assert [read_code(frame.rgb) for frame in frames] == [code for _, code in wanted]
        assert [frame.time_s for frame in frames] == pytest.approx([t_s for t_s, _ in wanted], abs=2e-6)
        assert decoder.frame_times(start_s, end_s).tolist() == pytest.approx(
            [t_s for t_s, _ in wanted], abs=2e-6
        )
    decoder.close()


SOUND_KEYS = [name for name in CLIPS if not name.startswith("false_keys") and name != "intra_refresh"]


@pytest.mark.parametrize("clip", SOUND_KEYS)
def test_a_keyframe_keeps_its_own_time_and_is_the_last_before(clip, shelf):
    truth = shelf.truth(clip)
    decoder = open_decoder("pyav", shelf.clip(clip).path)
    by_time = {round(t, 5): code for t, code in zip(truth.times_s, truth.codes, strict=True)}
    times_s = [truth.times_s[0] + i / 16 * truth.times_s[-1] for i in range(17)]
    frames = decoder.frames_at(times_s, snap="keyframe")
    keys = sorted({frame.time_s for frame in frames})
    for t_s, frame in zip(times_s, frames, strict=True):
        assert read_code(frame.rgb) == by_time[round(frame.time_s, 5)]
        assert frame.time_s == max([key for key in keys if key <= t_s + 1e-6], default=keys[0])
    assert len(keys) >= (1 if len(truth.times_s) == 1 else 2)
    decoder.close()


def test_all_decoders_agree_on_box_and_scale(opened, shelf):
    truth = shelf.truth("h264")
    decoder = opened("h264")
    whole = decoder.frames_at([2.0])[0].rgb
    cut = decoder.frames_at([2.0], box_px=(40, 20, 200, 100))[0].rgb
    assert whole.shape == (180, 320, 3)
    assert np.array_equal(cut, whole[20:100, 40:200])
    small = decoder.frames_at([2.0], max_side_px=160)[0].rgb
    assert small.shape == (90, 160, 3)
    assert read_code(small) == truth.codes[truth.at(2.0)]
    assert decoder.frames_at([2.0], max_side_px=5000)[0].rgb.shape == (180, 320, 3)
    half_cut = decoder.frames_at([2.0], box_px=(0, 0, 160, 160), max_side_px=80)[0].rgb
    assert half_cut.shape == (80, 80, 3)
    with pytest.raises(VideoError, match="box"):
        decoder.frames_at([2.0], box_px=(0, 0, 321, 180))


def test_dense_reading_with_a_stride(opened, shelf):
    decoder = opened("vfr_mp4")
    truth = shelf.truth("vfr_mp4")
    frames = list(decoder.frames_between(1.0, 6.0, stride=3))
    wanted = [t for t in truth.times_s if 1.0 <= t < 6.0][::3]
    assert [frame.time_s for frame in frames] == pytest.approx(wanted, abs=2e-6)


def test_turned_clips_stand_upright(opened):
    assert opened("turned_90").frames_at([0.0])[0].rgb.shape == (180, 320, 3)
    assert read_code(opened("turned_270").frames_at([1.0])[0].rgb) == Code(25, 1000)


def test_an_unknown_decoder_is_a_usage_error(clip_path):
    with pytest.raises(UsageError, match="pyav, decord, torchcodec; got 'opencv'"):
        open_decoder("opencv", clip_path("h264"))


def test_a_seek_decodes_less_than_the_whole_file(clip_path):
    decoder = open_decoder("pyav", clip_path("h264"))
    before = decoder.frames_decoded
    decoder.frames_at([7.9])
    assert decoder.frames_decoded - before < 40
    before = decoder.frames_decoded
    decoder.frames_at([1.0, 3.0, 5.0, 7.0], snap="keyframe")
    assert decoder.frames_decoded - before == 4
    decoder.close()


def test_the_code_survives_and_notices_damage():
    rgb = draw_code(Code(1234, 56789))
    assert read_code(rgb) == Code(1234, 56789)
    with pytest.raises(ValueError, match=r"check bits|grey"):
        read_code(rgb[::-1])
    with pytest.raises(ValueError, match="grey"):
        read_code(np.full_like(rgb, 128))


def test_real_videos_are_read_like_a_full_decode(videos):
    """Four clips by others: every picture asked for equals the one of a full decode, to the pixel."""
    import av

    for name in ("bottles.mp4", "claymation.mp4", "dashcam.mp4", "gnome_launch.webm"):
        with av.open(str(videos / name)) as container:
            start_s = container.start_time / av.time_base
            shown = [(float(f.pts * f.time_base) - start_s, f) for f in container.decode(video=0)][::9]
            whole = {
                i: f.reformat(width=64, height=36, format="gray8").to_ndarray()
                for i, (_, f) in enumerate(shown)
            }
        times_s = [t_s for t_s, _ in shown]
        decoder = open_decoder("pyav", videos / name)
        chosen = [(7 * i) % len(times_s) for i in range(16)]
        for i, frame in zip(chosen, decoder.frames_at([times_s[i] for i in chosen]), strict=True):
            assert frame.time_s == pytest.approx(times_s[i], abs=2e-6)
            small = (
                av.VideoFrame.from_ndarray(frame.rgb)
                .reformat(width=64, height=36, format="gray8")
                .to_ndarray()
            )
            assert np.abs(small.astype(int) - whole[i]).mean() < 4, (name, i)
        decoder.close()


@pytest.mark.parametrize(
    ("clip", "idr"), [("h264", True), ("mpegts", True), ("open_gop", False), ("hevc", None)]
)
def test_a_cursor_knows_whether_it_landed_on_an_idr_picture(clip, idr, clip_path):
    cursor = Cursor(clip_path(clip), None, lambda: None)
    cursor.jump(round(5 / cursor.medium.clock.time_base))
    assert cursor.landed is not None
    assert cursor.landed_on_idr is idr
    cursor.close()


@pytest.mark.parametrize(("clip", "keyframes_s"), [("h264", [5.76]), ("open_gop", [6, 5, 4])])
def test_a_seek_to_a_keyframe_that_is_no_idr_picture_goes_back_two_more(
    clip, keyframes_s, shelf, monkeypatch
):
    truth, decoder = shelf.truth(clip), open_decoder("pyav", shelf.clip(clip).path)
    jump, landed_s = Cursor.jump, []

    def noted(cursor, *goal, **options):
        jump(cursor, *goal, **options)
        landed_s.append(cursor.medium.clock.seconds(cursor.current.pts))

    monkeypatch.setattr(Cursor, "jump", noted)
    assert wrong_frames(decoder, truth, [6.2]) == []
    assert landed_s == pytest.approx(keyframes_s)
    decoder.close()


def test_pictures_that_stay_broken_are_not_shown_but_the_keyframe_before_them_is(shelf, monkeypatch):
    """The file stands for one too long to be decoded from its start."""
    truth, decoder = shelf.truth("h264"), open_decoder("pyav", shelf.clip("h264").path)
    monkeypatch.setattr(Cursor, "complaints", property(lambda _: True))
    monkeypatch.setattr(decoder, "_affordable", lambda _: False)
    (frame,) = decoder.frames_at([4.5])
    assert frame.time_s == pytest.approx(96 / 25)  # 48 frames a group
    assert read_code(frame.rgb) == truth.codes[96]
    decoder.close()


@pytest.mark.parametrize(
    ("opened", "clip"),
    [
        pytest.param(decoder, clip, marks=[] if decoder == "pyav" else pytest.mark.slow)
        for decoder in DECODERS
        for clip in ("ntsc", "vfr_mp4", "start_100_ts", "edit_list", "one_frame")
    ],
    indirect=["opened"],
)
def test_every_printed_time_shows_its_own_frame(opened, clip, shelf):
    if clip in REFUSED.get(opened.name, {}):
        pytest.skip("this decoder refuses the clip")
    truth, decoder = shelf.truth(clip), opened(clip)
    frames = decoder.frames_at([round(t_s, 3) for t_s in truth.times_s])
    assert [read_code(frame.rgb) for frame in frames] == list(truth.codes)
    for first, last in ((3, 40), (17, 18)) if len(frames) > 40 else ():
        start_s, end_s = round(truth.times_s[first], 3), round(truth.times_s[last], 3)
        assert [read_code(f.rgb) for f in decoder.frames_between(start_s, end_s)] == list(
            truth.codes[first:last]
        )
        assert len(decoder.frame_times(start_s, end_s)) == last - first
