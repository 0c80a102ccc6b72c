"""The app: every route, behind the edge and the limits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from vidagent.errors import UsageError
from vidagent.serve.rest import (
    chains,
    chat,
    faults,
    file_routes,
    health,
    job_routes,
    metrics,
    page,
    passes,
    run_routes,
    video_routes,
)
from vidagent.serve.rest.artefacts import Artefacts
from vidagent.serve.rest.bodies import BodyLimit
from vidagent.serve.rest.desk import Desk
from vidagent.serve.rest.disk import Disk
from vidagent.serve.rest.door import Door
from vidagent.serve.rest.draining import Drain, Draining
from vidagent.serve.rest.edge import Edge
from vidagent.serve.rest.files import Files
from vidagent.serve.rest.job_records import JobRecords
from vidagent.serve.rest.jobs import Jobs
from vidagent.serve.rest.keys import Keys
from vidagent.serve.rest.lanes import Lanes
from vidagent.serve.rest.metrics import Metrics
from vidagent.serve.rest.openapi import with_faults
from vidagent.serve.rest.options import MB, Options
from vidagent.serve.rest.places import Places
from vidagent.serve.rest.remote import Remote
from vidagent.serve.rest.run_records import RunRecords
from vidagent.serve.rest.store import Store

__all__ = ["make"]


def make(options: Options) -> FastAPI:
    """Return the app.

    Args:
        options: How it is to be run.

    Raises:
        UsageError: If its folder cannot be used, or nobody could come in.
    """
    store = Store(options.data_dir)
    keys = None if options.insecure_local else _keys(store)
    least_free = int(options.min_free_mb * MB)
    disk, drain = Disk(options.data_dir, least_free), Drain(options.drain_s)
    files = Files(options.data_dir / "files", store, disk, int(options.files_mb * MB))
    front = page.Page(keyed=keys is not None, most_bytes=int(options.max_file_mb * MB))
    let_in = passes.Passes(keys)
    measures, most_bytes = Metrics(), int(options.max_file_mb * MB)
    remote = Remote(options.hosts, most_bytes, least_free)
    places, runs = Places(files, options.roots, remote), RunRecords(store)
    desk = Desk(places, measures, options.deadline_s, runs)

    lanes = Lanes(options.running, options.running_each)
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
    faults.install(app)
    with_faults(app, keyed=keys is not None)
    app.include_router(health.router(disk, drain))
    app.include_router(chains.router(desk, most=options.batch, playground=options.development))
    app.include_router(file_routes.router(files, runs, most_bytes))
    app.include_router(video_routes.router(places))
    app.include_router(run_routes.router(runs, Artefacts(runs, places)))
    app.include_router(job_routes.router(jobs))
    app.include_router(chat.router(desk))
    app.include_router(metrics.router(measures))
    app.include_router(passes.router(let_in))
    app.include_router(page.router(front))
    app.add_middleware(Draining, drain=drain)
    app.add_middleware(Door, keys=keys, passes=let_in, page=front.paths)
    app.add_middleware(BodyLimit, most_bytes=int(options.max_body_mb * MB))
    app.add_middleware(Edge, metrics=measures)
    return app


def _keys(store: Store) -> Keys:
    keys = Keys(store)
    if keys.all():
        return keys
    store.close()
    raise UsageError(
        "there are no API keys: `vidagent serve keys add OWNER` makes one; --insecure-local serves this machine "
        "alone, without any"
    )
