"""``python -m local.cloud up | down``: what ``make up`` and ``make down`` run."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from local.cloud.emulator import KEY, KEY_ID
from local.cloud.place import DEFAULT, ROOT
from local.cloud.running import Wishes, bring_down, bring_up, is_up
from local.cloud.stack import Stack
from local.cloud.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping


_USAGE = "usage: python -m local.cloud up | down"


def wishes(env: Mapping[str, str]) -> Wishes:
    """What OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_UPSTREAM... and PARAMS ask for; ``Trouble`` if it makes no sense."""
    parameters: dict[str, str] = {}
    for word in shlex.split(env.get("PARAMS", "")):
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise Trouble(f'PARAMS holds {word!r}; it should be "Name=value Name=value".')
        parameters[name] = value
    asked = Wishes(
        base_url=env.get("OPENAI_BASE_URL", ""),
        api_key=env.get("OPENAI_API_KEY", ""),
        parameters=parameters,
        upstream=_upstream(env),
        upstream_key=env.get("OPENAI_UPSTREAM_API_KEY", ""),
    )
    if asked.upstream and not asked.own_openai:
        raise Trouble("OPENAI_UPSTREAM stands behind the local OpenAI server: leave OPENAI_BASE_URL and _API_KEY out.")
    return asked


def priced(asked: Wishes) -> Wishes:
    """The local OpenAI server asks for no money: its jobs cost what OpenAI would have taken for the same tokens.

    What answers behind it has its own price, and we do not know it.
    """
    if not asked.own_openai or asked.upstream:
        return asked
    return replace(asked, parameters={"PriceProvider": "openai", **asked.parameters})


def _upstream(env: Mapping[str, str]) -> tuple[str, ...]:
    """The options of the local OpenAI server for OPENAI_UPSTREAM and OPENAI_UPSTREAM_MODEL."""
    if not env.get("OPENAI_UPSTREAM"):
        return ()
    model = env.get("OPENAI_UPSTREAM_MODEL")
    return ("--upstream", env["OPENAI_UPSTREAM"], *(("--upstream-model", model) if model else ()))


def up() -> None:
    """Bring the stack up, once."""
    asked = wishes(os.environ)
    if is_up(DEFAULT):
        if asked != Wishes():
            raise Trouble("A stack is up already, and does not change: `make down` first, then `make up` with these.")
        print("Already up.")
        _announce(Stack.read(DEFAULT.stack_file))
        return
    bring_down(DEFAULT)
    _announce(bring_up(DEFAULT, priced(asked), tethered=False).stack)


def down() -> None:
    """Stop what ``up`` started."""
    print("Stopped." if bring_down(DEFAULT) else "Nothing was running.")


def _announce(stack: Stack) -> None:
    print(f"Ready. Drop files into {stack.input_bucket}; results appear in {stack.output_bucket}.")
    print(f"Requests go to {stack.openai_base_url}. All names: {_relative()}. Logs: .local/ministack.log.")
    print("For the AWS CLI, paste:")
    print(f"  export AWS_ENDPOINT_URL={stack.endpoint_url} AWS_DEFAULT_REGION={stack.region}")
    print(f"  export AWS_ACCESS_KEY_ID={KEY_ID} AWS_SECRET_ACCESS_KEY={KEY}")
    print("`make down` stops it and forgets all that is in it.")


def _relative() -> str:
    return str(DEFAULT.stack_file.relative_to(ROOT))


def interrupted(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """Run one command; the exit status."""
    commands = {"up": up, "down": down}
    if len(arguments) != 1 or arguments[0] not in commands:
        print(_USAGE, file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job starts with SIGINT ignored
        signal.signal(number, interrupted)
    try:
        commands[arguments[0]]()
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; what was started is stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
