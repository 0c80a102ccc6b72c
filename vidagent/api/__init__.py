"""What programs call: questions about videos, a video's facts and frames, models within reach, and recorded runs."""

from __future__ import annotations

from vidagent.agents.direct.vlm import VLM
from vidagent.agents.server.model_choice import Available
from vidagent.api.ask import aanalyze_video, analyze_video, astream_video, plan_cost
from vidagent.api.pictures import Picture, Seen, Size, frames_of, look_at
from vidagent.api.replay import replay_run
from vidagent.api.runs import (
    clip_run,
    delete_run,
    delete_session,
    find_run,
    find_session,
    list_runs,
    list_sessions,
    report_run,
)
from vidagent.api.videos import Probe, index_video, list_models, probe_video
from vidagent.graphs.cost_estimate import DryRun, DryRuns
from vidagent.graphs.events import Event
from vidagent.runs.recorded_run import RecordedRun
from vidagent.runs.request import RequestArguments
from vidagent.runs.session_store import Session
from vidagent.video.index.video_index import IndexReport

__all__ = [
    "VLM",
    "Available",
    "DryRun",
    "DryRuns",
    "Event",
    "IndexReport",
    "Picture",
    "Probe",
    "RecordedRun",
    "RequestArguments",
    "Seen",
    "Session",
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
