"""The REST app: all routes and middleware, and the process that serves them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from vidagent.serve.core import errors
from vidagent.serve.core.agent_models import AgentModels
from vidagent.serve.core.concurrency import ConcurrencyLimits
from vidagent.serve.core.http import media_cookies, metrics, server
from vidagent.serve.core.http.auth import Authentication
from vidagent.serve.core.http.body_limit import BodyLimit
from vidagent.serve.core.http.draining import DrainMiddleware, DrainState
from vidagent.serve.core.http.metrics import Metrics
from vidagent.serve.core.http.options import MB, ServerOptions
from vidagent.serve.core.http.request_middleware import RequestMiddleware
from vidagent.serve.core.library_search import LibrarySearch
from vidagent.serve.core.question_service import QuestionService
from vidagent.serve.core.storage.database import Store, exclusive_lock
from vidagent.serve.core.storage.disk import Disk
from vidagent.serve.core.storage.files import UploadedFiles
from vidagent.serve.core.storage.job_records import JobRecords
from vidagent.serve.core.storage.keys import required_keys
from vidagent.serve.core.storage.run_records import RunRecords
from vidagent.serve.core.video_locator import RemoteVideos, VideoLocator
from vidagent.serve.rest.conversations import Conversations
from vidagent.serve.rest.jobs import Jobs
from vidagent.serve.rest.routes import agent_models, chat, health, langserve_routes, library, page, videos
from vidagent.serve.rest.routes import conversations as conversation_routes
from vidagent.serve.rest.routes import files as file_routes
from vidagent.serve.rest.routes import jobs as job_routes
from vidagent.serve.rest.routes import runs as run_routes
from vidagent.serve.rest.run_media import RunMedia
from vidagent.serve.rest.video_frames import VideoFrames

_ANNOUNCEMENT = "vidagent: serving {url}; API documentation at {url}/docs"
_SCHEMA = "#/components/schemas/{model}"
_STREAM: dict[str, Any] = {"text/event-stream": {}}
_STREAMS = ("/vidagent/stream", "/vidagent/stream_events", "/vidagent/stream_log")
_OPEN = ("/healthz", "/readyz")


def run(options: ServerOptions) -> None:
    """Serve until the process is told to stop.

    Raises:
        UsageError: If the address or the data folder cannot be used, or there are no keys.
    """
    options.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    server.run(lambda: make(options), options, _ANNOUNCEMENT, exclusive_lock(options.data_dir))


def make(options: ServerOptions) -> FastAPI:
    """Return the app.

    Raises:
        UsageError: If the data folder cannot be used, or there are no keys.
    """
    store = Store(options.data_dir)
    keys = None if options.insecure_local else required_keys(store)
    max_bytes, min_free_bytes = int(options.max_file_mb * MB), int(options.min_free_mb * MB)
    disk, drain = Disk(options.data_dir, min_free_bytes), DrainState(options.drain_s)
    files = UploadedFiles(options.data_dir / "files", store, disk, int(options.files_mb * MB))
    remote = RemoteVideos(options.hosts, max_bytes, min_free_bytes)
    locator, runs, counters = VideoLocator(files, options.roots, remote), RunRecords(store), Metrics()
    models = AgentModels()
    service = QuestionService(locator, counters, options.deadline_s, runs, models)
    concurrency = ConcurrencyLimits(options.running, options.running_each)
    jobs = Jobs(JobRecords(store), service, concurrency, options.jobs_each)
    web_page, cookies = (
        page.Page(keyed=keys is not None, max_bytes=max_bytes),
        media_cookies.MediaCookies(keys),
    )

    app = FastAPIOffline(  # with the files of /docs, for machines without a network
        title="vidagent",
        summary="Ask questions about videos of any length; get answers with the frames that prove them.",
        version=version("vidagent"),
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(service, jobs, store),
    )
    app.state.concurrency = concurrency
    counters.watch("vidagent_running", "Questions being answered.", lambda: concurrency.running)
    counters.watch(
        "vidagent_disk_free_bytes", "Free on the disk of the data folder.", lambda: disk.free_bytes
    )
    errors.install_error_handlers(app)
    _document_errors(app, keyed=keys is not None)
    for router in (
        health.router(disk, drain, models),
        langserve_routes.router(service, max_batch=options.batch, playground=options.development),
        file_routes.router(files, runs, max_bytes),
        videos.router(locator, VideoFrames(locator)),
        library.router(LibrarySearch(), locator),
        run_routes.router(runs, RunMedia(runs, locator)),
        job_routes.router(jobs),
        conversation_routes.router(Conversations(jobs, runs)),
        chat.router(service, files),
        agent_models.router(models),
        metrics.router(counters),
        media_cookies.router(cookies),
        page.router(web_page),
    ):
        app.include_router(router)
    app.add_middleware(DrainMiddleware, drain=drain)
    app.add_middleware(Authentication, keys=keys, cookies=cookies, page=web_page.paths)
    app.add_middleware(BodyLimit, max_bytes=int(options.max_body_mb * MB))
    app.add_middleware(RequestMiddleware, metrics=counters)
    return app


def _lifespan(
    service: QuestionService, jobs: Jobs, store: Store
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.open()
        jobs.resume()
        yield
        await jobs.stop()
        await service.close()
        store.close()

    return lifespan


def _document_errors(app: FastAPI, *, keyed: bool) -> None:
    """Document the error response of every operation, and the API key if one is required."""
    original = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _extended(original(), keyed=keyed)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the way FastAPI's manual extends the document


def _extended(document: dict[str, Any], *, keyed: bool) -> dict[str, Any]:
    if keyed:
        scheme = {"type": "http", "scheme": "bearer"}
        document.setdefault("components", {})["securitySchemes"] = {"key": scheme}
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    body = errors.ErrorBody.model_json_schema(ref_template=_SCHEMA)
    schemas |= body.pop("$defs") | {"ErrorBody": body}
    schema = {"$ref": _SCHEMA.format(model="ErrorBody")}
    error = {"description": "An error.", "content": {"application/json": {"schema": schema}}}
    for name, path in document["paths"].items():
        for operation in path.values():
            if keyed and name not in _OPEN:
                operation["security"] = [{"key": []}]
            if name in _STREAMS:  # LangServe documents them as JSON
                operation["responses"]["200"]["content"] = _STREAM
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = error
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return document
