"""The app: every route, behind the edge and the limits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from vidagent.errors import UsageError
from vidagent.serve.core import errors
from vidagent.serve.core.concurrency import ConcurrencyLimits
from vidagent.serve.core.http import media_cookies, metrics
from vidagent.serve.core.http.auth import Authentication
from vidagent.serve.core.http.body_limit import BodyLimit
from vidagent.serve.core.http.draining import DrainMiddleware, DrainState
from vidagent.serve.core.http.metrics import Metrics
from vidagent.serve.core.http.options import MB, ServerOptions
from vidagent.serve.core.http.request_middleware import RequestMiddleware
from vidagent.serve.core.question_service import QuestionService
from vidagent.serve.core.remote_videos import RemoteVideos
from vidagent.serve.core.storage.database import Store
from vidagent.serve.core.storage.disk import Disk
from vidagent.serve.core.storage.files import UploadedFiles
from vidagent.serve.core.storage.job_records import JobRecords
from vidagent.serve.core.storage.keys import ApiKeys
from vidagent.serve.core.storage.run_records import RunRecords
from vidagent.serve.core.video_locator import VideoLocator
from vidagent.serve.rest.jobs import Jobs
from vidagent.serve.rest.openapi import document_errors
from vidagent.serve.rest.routes import chat, health, langserve_routes, page, videos
from vidagent.serve.rest.routes import files as file_routes
from vidagent.serve.rest.routes import jobs as job_routes
from vidagent.serve.rest.routes import runs as run_routes
from vidagent.serve.rest.routes.artefacts import RunMedia


def make(options: ServerOptions) -> FastAPI:
    """Return the app.

    Args:
        options: How it is to be run.

    Raises:
        UsageError: If its folder cannot be used, or nobody could come in.
    """
    store = Store(options.data_dir)
    keys = None if options.insecure_local else _keys(store)
    least_free = int(options.min_free_mb * MB)
    disk, drain = Disk(options.data_dir, least_free), DrainState(options.drain_s)
    files = UploadedFiles(options.data_dir / "files", store, disk, int(options.files_mb * MB))
    front = page.Page(keyed=keys is not None, most_bytes=int(options.max_file_mb * MB))
    let_in = media_cookies.MediaCookies(keys)
    measures, most_bytes = Metrics(), int(options.max_file_mb * MB)
    remote = RemoteVideos(options.hosts, most_bytes, least_free)
    places, runs = VideoLocator(files, options.roots, remote), RunRecords(store)
    desk = QuestionService(places, measures, options.deadline_s, runs)

    lanes = ConcurrencyLimits(options.running, options.running_each)
    jobs = Jobs(JobRecords(store), desk, lanes, options.jobs_each)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await desk.open()
        jobs.resume()
        yield
        await jobs.stop()
        await desk.close()
        store.close()

    app = FastAPI(
        title="vidagent",
        summary="Ask questions about videos of any length; get answers with the frames that prove them.",
        version=version("vidagent"),
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.lanes = lanes
    measures.watch("vidagent_running", "Questions being answered.", lambda: lanes.running)
    measures.watch(
        "vidagent_disk_free_bytes", "Free on the disk of the data folder.", lambda: disk.free_bytes
    )
    errors.install(app)
    document_errors(app, keyed=keys is not None)
    app.include_router(health.router(disk, drain))
    app.include_router(langserve_routes.router(desk, most=options.batch, playground=options.development))
    app.include_router(file_routes.router(files, runs, most_bytes))
    app.include_router(videos.router(places))
    app.include_router(run_routes.router(runs, RunMedia(runs, places)))
    app.include_router(job_routes.router(jobs))
    app.include_router(chat.router(desk))
    app.include_router(metrics.router(measures))
    app.include_router(media_cookies.router(let_in))
    app.include_router(page.router(front))
    app.add_middleware(DrainMiddleware, drain=drain)
    app.add_middleware(Authentication, keys=keys, passes=let_in, page=front.paths)
    app.add_middleware(BodyLimit, most_bytes=int(options.max_body_mb * MB))
    app.add_middleware(RequestMiddleware, metrics=measures)
    return app


def _keys(store: Store) -> ApiKeys:
    keys = ApiKeys(store)
    if keys.all():
        return keys
    store.close()
    raise UsageError(
        "there are no API keys: `vidagent serve keys add OWNER` makes one; --insecure-local serves this machine "
        "alone, without any"
    )
