"""``python -m local.openai``: serve until interrupted."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from local.openai.profiles import PROFILES
from local.openai.server import Options, running
from local.openai.settings import PACES
from local.openai.upstream import UpstreamOptions


def main() -> None:
    """Parse the command line, print the base URL, serve."""
    asyncio.run(_serve(options(sys.argv[1:])))


def options(words: list[str]) -> Options:
    """What a command line asks for."""
    arguments = _parser().parse_args(words)
    return Options(
        host=arguments.host,
        port=arguments.port,
        data=arguments.data,
        seed=arguments.seed,
        speed=arguments.speed,
        settings=_read(arguments.settings),
        faults=_read(arguments.faults),
        profile=arguments.profile,
        upstream=_upstream(arguments),
    )


def _upstream(arguments: argparse.Namespace) -> UpstreamOptions | None:
    """The key comes through the environment: a command line is for everyone to read."""
    if not arguments.upstream:
        return None
    return UpstreamOptions(
        arguments.upstream,
        key=os.environ.get("OPENAI_UPSTREAM_API_KEY"),
        model=arguments.upstream_model,
        concurrency=arguments.upstream_concurrency,
    )


async def _serve(asked: Options) -> None:
    finished = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, finished.set)
    async with running(asked) as server:
        print(server.base_url, flush=True)
        await finished.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.openai", description="A local OpenAI Batch API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--data", type=Path, help="directory for files; a temporary one if not given")
    parser.add_argument("--seed", type=int, help="makes ids, order and faults the same in every run")
    parser.add_argument("--speed", choices=sorted(PACES), default="fast", help="how fast batches advance")
    parser.add_argument("--settings", type=Path, help="JSON file with settings (local/openai/settings.py)")
    parser.add_argument("--faults", type=Path, help="JSON file with faults (local/openai/plans.py)")
    parser.add_argument("--profile", choices=PROFILES, default="openai", help="the provider to be like")
    parser.add_argument("--upstream", metavar="URL", help="base URL of a server that answers the requests of batches")
    parser.add_argument("--upstream-model", metavar="NAME", help="the model that it is asked, whatever requests say")
    parser.add_argument("--upstream-concurrency", type=int, default=8, metavar="N", help="requests at a time")
    return parser


def _read(path: Path | None) -> dict[str, object] | None:
    content: dict[str, object] | None = json.loads(path.read_text()) if path else None
    return content


if __name__ == "__main__":
    main()
