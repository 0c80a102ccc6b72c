"""What programs call: questions about videos, a video's facts and frames, models within reach, and recorded runs."""

from __future__ import annotations

from vidagent.agents.direct.vlm import VLM
from vidagent.agents.server.model_choice import Available
from vidagent.api.ask import (
    aanalyze_video,
    analyze_video,
    astream_video,
    asummarize_video,
    plan_cost,
    summarize_video,
)
from vidagent.api.doctor import Diagnosis, Finding, diagnose
from vidagent.api.langchain import as_graph, as_tool
from vidagent.api.library import Library
from vidagent.api.pictures import Picture, Seen, Size, frames_of, look_at, poster_of
from vidagent.api.replay import replay_run
from vidagent.api.runs import (
    RunExport,
    clip_run,
    delete_run,
    delete_session,
    export_runs,
    find_run,
    find_session,
    list_runs,
    list_sessions,
    report_run,
)
from vidagent.api.videos import (
    Probe,
    index_video,
    kept_transcript,
    list_models,
    probe_video,
    texts_of,
    transcript_of,
)
from vidagent.graphs.cost_estimate import DryRun, DryRuns
from vidagent.graphs.events import Event
from vidagent.library.finding import Hit, Hits
from vidagent.library.library import Added, LibraryStatus
from vidagent.runs.recorded_run import RecordedRun
from vidagent.runs.request import RequestArguments
from vidagent.runs.session_store import Session
from vidagent.video.index.transcript import Stop, Transcript
from vidagent.video.index.video_index import IndexReport
from vidagent.video.texts.track import TextTrack, Tracks

__all__ = [
    "VLM",
    "Added",
    "Available",
    "Diagnosis",
    "DryRun",
    "DryRuns",
    "Event",
    "Finding",
    "Hit",
    "Hits",
    "IndexReport",
    "Library",
    "LibraryStatus",
    "Picture",
    "Probe",
    "RecordedRun",
    "RequestArguments",
    "RunExport",
    "Seen",
    "Session",
    "Size",
    "Stop",
    "TextTrack",
    "Tracks",
    "Transcript",
    "aanalyze_video",
    "analyze_video",
    "as_graph",
    "as_tool",
    "astream_video",
    "asummarize_video",
    "clip_run",
    "delete_run",
    "delete_session",
    "diagnose",
    "export_runs",
    "find_run",
    "find_session",
    "frames_of",
    "index_video",
    "kept_transcript",
    "list_models",
    "list_runs",
    "list_sessions",
    "look_at",
    "plan_cost",
    "poster_of",
    "probe_video",
    "replay_run",
    "report_run",
    "summarize_video",
    "texts_of",
    "transcript_of",
]
