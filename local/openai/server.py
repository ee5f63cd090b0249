"""The running server: in a thread of this process, or as the whole of one."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from local.openai import admin_routes, app, upload_routes, webhook_routes
from local.openai.admin import Admin
from local.openai.service import Service
from local.openai.settings import settings_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from aiohttp.typedefs import Middleware

    from local.openai.upstream import UpstreamOptions

_BODY_MAX = 16 * 1024 * 1024  #: of JSON bodies; uploads are streamed and have their own limit


@dataclass(frozen=True)
class Options:
    """How a server starts. ``port`` 0 takes a free one; without ``data`` a temporary directory is used.

    ``profile`` is a key of ``profiles.PROFILES``; with ``upstream`` another server answers the requests of batches.
    """

    host: str = "127.0.0.1"
    port: int = 0
    data: Path | None = None
    seed: int | None = None
    speed: str = "fast"
    settings: dict[str, Any] | None = None
    faults: dict[str, Any] | None = None
    profile: str = "openai"
    upstream: UpstreamOptions | None = None


@dataclass(frozen=True)
class Server:
    """A handle: ``base_url`` for the SDK, ``admin`` for the levers."""

    base_url: str
    admin: Admin


def build(service: Service) -> web.Application:
    """The application: the API under ``/v1`` and where the profile has it, the levers under ``/_admin``."""
    root = web.Application()
    root.add_subapp("/_admin", _part(service, admin_routes.refuse, admin_routes.routes))
    routes = [*app.routes, *upload_routes.routes, *webhook_routes.routes]
    # The longest first: the first prefix that fits takes the request.
    for path in sorted({"/v1", *service.settings.base_paths}, key=len, reverse=True):
        root.add_subapp(path, _part(service, app.surround, routes))
    return root


def _part(service: Service, middleware: Middleware, routes: Iterable[web.AbstractRouteDef]) -> web.Application:
    part = web.Application(middlewares=[middleware], client_max_size=_BODY_MAX)
    part[app.SERVICE] = service
    part.add_routes(routes)
    return part


@asynccontextmanager
async def running(options: Options) -> AsyncIterator[Server]:
    """Serve until the block is left. Raises ``OSError`` where the port is taken."""
    with contextlib.ExitStack() as stack:
        data = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="local-openai-")))
        settings = settings_for(options.speed, options.profile, options.settings)
        if options.upstream:
            settings.any_model = True
        virtual = options.speed == "virtual"
        service = Service(data, settings, virtual=virtual, seed=options.seed, upstream=options.upstream)
        service.faults.add(options.faults or {})
        runner = web.AppRunner(build(service), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        timekeeper = asyncio.create_task(service.keep_time())
        try:
            await web.TCPSite(runner, options.host, options.port).start()
            host, port = runner.addresses[0][:2]
            root = f"http://{host}:{port}"
            path = (settings.base_paths or ["/v1"])[0]
            yield Server(root + path, Admin(root))
        finally:
            timekeeper.cancel()
            await runner.cleanup()
            await service.close()
            with contextlib.suppress(asyncio.CancelledError):
                await timekeeper  # raises what stopped it, if something did


@contextmanager
def serve(
    *,
    seed: int | None = 0,
    speed: str = "instant",
    settings: dict[str, Any] | None = None,
    faults: dict[str, Any] | None = None,
    data: Path | None = None,
    profile: str = "openai",
    upstream: UpstreamOptions | None = None,
) -> Iterator[Server]:
    """Run a server in a thread, on a free loopback port, while the block runs."""
    options = Options(
        data=data, seed=seed, speed=speed, settings=settings, faults=faults, profile=profile, upstream=upstream
    )
    started: list[Server | BaseException] = []
    ready = threading.Event()
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        finished = asyncio.Event()
        async with running(options) as server:
            stop.append((asyncio.get_running_loop(), finished))
            started.append(server)
            ready.set()
            await finished.wait()

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            started.append(error)
            ready.set()

    thread = threading.Thread(target=run, name="local-openai", daemon=True)
    thread.start()
    ready.wait()
    outcome = started[0]
    if isinstance(outcome, BaseException):
        thread.join()
        raise outcome
    try:
        yield outcome
    finally:
        loop, finished = stop[0]
        loop.call_soon_threadsafe(finished.set)
        thread.join()
    for failure in started[1:]:
        if isinstance(failure, BaseException):
            raise failure
