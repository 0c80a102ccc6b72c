"""What programs call: questions about videos, a video's facts and frames, the models within reach, and past runs."""

from __future__ import annotations

from vidagent.api.artefacts import clip_run, report_run
from vidagent.api.ask import aanalyze_video, analyze_video, astream_video, plan_cost
from vidagent.api.pictures import Picture, Seen, Size, frames_of, look_at
from vidagent.api.runs import delete_run, find_run, list_runs, replay_run
from vidagent.api.sessions import delete_session, find_session, list_sessions
from vidagent.api.videos import Probe, index_video, list_models, probe_video
from vidagent.runs.request import Asking

__all__ = [
    "Asking",
    "Picture",
    "Probe",
    "Seen",
    "Size",
    "aanalyze_video",
    "analyze_video",
    "astream_video",
    "clip_run",
    "delete_run",
    "delete_session",
    "find_run",
    "find_session",
    "frames_of",
    "index_video",
    "list_models",
    "list_runs",
    "list_sessions",
    "look_at",
    "plan_cost",
    "probe_video",
    "replay_run",
    "report_run",
]
