"""Write what the documentation takes from the code: ``make docs``."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

from batchdrop.core import states
from batchdrop.core.codes import BLOCKED, FILES, LINES, REQUESTS
from batchdrop.core.lifecycle import ROWS, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batchdrop.core.codes.text import Text

DOCS = Path(__file__).parents[1] / "docs"
PAGE, ERRORS = DOCS / "data-model.md", DOCS / "errors.md"
START, END = "<!-- transitions -->\n", "<!-- /transitions -->"

_HEAD = """# Codes and states

What each code means, as a user meets it, and what to do. Written by `make docs` from `core/codes`.
"""
_FILES = """The job is `failed`; nothing was bought, unless the input was removed while it ran. `code` and `reason`
stand in `status.json`, in the table and in the event."""
_LINES = """All others are run. The line has its place in `results.jsonl` (`error.code`, `error.message`) and one in
`errors.jsonl` (`code`, `reason`)."""
_REQUESTS = """In the same two places. A request that was answered with an error keeps the provider's own code, or
`http_<status>` where it gave none."""
_BLOCKED = """They are `blocked`, an alarm says so, and they go on by themselves once it is mended; `cannot_fence` alone
waits for a person, unless its batch shows up within a day. The code stands first in the `reason` of the batch."""

_SECTIONS: tuple[tuple[str, str, Mapping[str, Text]], ...] = (
    ("A file that is not run", _FILES, FILES),
    ("A line that is not sent", _LINES, LINES),
    ("A request that was not answered", _REQUESTS, REQUESTS),
    ("Batches that wait for the operator", _BLOCKED, BLOCKED),
)


def transitions() -> str:
    """The transitions as a Markdown table."""
    head = "| | from → to | condition, besides the state left | with it, in one write |\n| --- | --- | --- | --- |\n"
    return head + "".join(f"| {row.id} | {_arrow(row)} | {_conditions(row)} | {row.also} |\n" for row in ROWS.values())


def errors() -> str:
    """The page of all codes."""
    parts = [_HEAD]
    for title, lead, texts in _SECTIONS:
        rows = "".join(f"| `{name.partition('.')[0]}` | {_cells(text)} |\n" for name, text in texts.items())
        parts.append(f"\n## {title}\n\n{lead}\n\n| code | for example | what to do |\n| --- | --- | --- |\n{rows}")
    parts.append("\n## States\n")
    for enum in (states.JobState, states.ChunkState, states.BatchState):
        rows = "".join(f"| `{word}` | {meaning} |\n" for word, meaning in _members(enum))
        parts.append(f"\n| {enum.__name__.removesuffix('State').lower()} | |\n| --- | --- |\n{rows}")
    return "".join(parts)


def _cells(text: Text) -> str:
    return " | ".join(part.format(**text.example).replace("|", "\\|") for part in (text.wrong, text.mend))


def _members(enum: type) -> Iterator[tuple[str, str]]:
    """Each state and the comment beside it."""
    for found in re.finditer(r' = "(\w+)"(?:  #: (.*))?', inspect.getsource(enum)):
        yield found[1], (found[2] or "").replace("``", "`")


def _arrow(row: Row) -> str:
    sources = ", ".join(state.value for state in row.sources) or "-"
    targets = ", ".join(state.value for state in row.targets) if row.target is not None else "the same"
    return f"{sources} → {targets}"


def _conditions(row: Row) -> str:
    words = [guard.value[2] for guard in row.guards]
    if row.job_states:
        words.append("the job " + " or ".join(row.job_states))
    words += [f"the job: {guard.value[2]}" for guard in row.job_guards]
    return "; ".join(words) or "-"


def main() -> None:
    page = PAGE.read_text()
    PAGE.write_text(re.sub(f"{START}.*{END}", lambda _: f"{START}{transitions()}{END}", page, flags=re.DOTALL))
    ERRORS.write_text(errors())


if __name__ == "__main__":
    main()
