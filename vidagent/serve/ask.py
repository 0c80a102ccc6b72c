"""`vidagent ask`: one question about one video."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import typer

from vidagent.serve import download, flags, questions, terminal
from vidagent.types import Answer

if TYPE_CHECKING:
    from vidagent.api import Asking

__all__ = ["BUDGET_ENDED", "ask"]

BUDGET_ENDED = 5


def ask(
    video: flags.Video,
    question: flags.Question,
    as_json: flags.AsJson = False,
    option: flags.Options = None,
    model: flags.Model = None,
    base_url: flags.BaseUrl = None,
    fps: flags.Fps = None,
    num_frames: flags.NumFrames = None,
    save_frames: flags.SaveFrames = None,
    report: flags.Report = None,
    export: flags.Export = None,
    dry_run: flags.DryRun = False,
    resume: flags.Resume = None,
    decoder: flags.Decoder = None,
    fetch: flags.Download = False,
    max_download_mb: flags.MaxDownloadMb = download.DEFAULT_MAX_MB,
    seconds: flags.Seconds = None,
    steps: flags.Steps = None,
    model_calls: flags.ModelCalls = None,
    prompt_tokens: flags.PromptTokens = None,
    completion_tokens: flags.CompletionTokens = None,
    thinking_tokens: flags.ThinkingTokens = None,
    frames: flags.Frames = None,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Ask a question about a video."""
    terminal.loudness(quiet=quiet, verbose=verbose)
    asked = questions.read(question, option)
    # Imported here, as they bring decoders, LangGraph and NumPy: `--help` and wrong flags need none of them.
    from vidagent import api, config
    from vidagent.reports.order import order
    from vidagent.serve import printing
    from vidagent.serve.progress import Progress

    order(video, report, export)  # before anything is downloaded
    budget = config.load(
        budget_seconds=seconds,
        budget_steps=steps,
        budget_model_calls=model_calls,
        budget_prompt_tokens=prompt_tokens,
        budget_completion_tokens=completion_tokens,
        budget_thinking_tokens=thinking_tokens,
        budget_frames=frames,
    ).budget()
    wanted: Asking = {
        "options": asked.options,
        "model": model,
        "base_url": base_url,
        "budget": budget,
        "fps": fps,
        "num_frames": num_frames,
        "decoder": decoder,
    }
    out = terminal.stdout()
    with (
        Progress(terminal.stderr(), quiet=quiet, verbose=verbose) as progress,
        download.local(video, allowed=fetch, max_mb=max_download_mb, tell=progress.tell) as path,
    ):
        if dry_run:
            printing.show_report(api.plan_cost(path, asked.text, **wanted), out, as_json=as_json)
            return
        answer = api.analyze_video(
            path,
            asked.text,
            **wanted,
            save_frames=save_frames,
            report=report,
            export=export,
            resume=resume,
            on_event=progress,
            stream=progress.live,
        )
        progress.tell(f"cost      {printing.cost(answer)}")
    printing.show_answer(_named(answer, video), out, asked.options, as_json=as_json)
    if answer.status == "partial":
        raise typer.Exit(BUDGET_ENDED)


def _named(answer: Answer, video: str) -> Answer:
    """Name the video as the user did, also where a temporary copy was read."""
    return dataclasses.replace(answer, video=dataclasses.replace(answer.video, path=video))
