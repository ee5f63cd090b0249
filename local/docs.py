"""Write what the documentation takes from the code: ``make docs``."""

from __future__ import annotations

import re
from pathlib import Path

from batchdrop.core.lifecycle import ROWS, Row

PAGE = Path(__file__).parents[1] / "docs" / "data-model.md"
START, END = "<!-- transitions -->\n", "<!-- /transitions -->"


def transitions() -> str:
    """The transitions as a Markdown table."""
    head = "| | from → to | condition, besides the state left | with it, in one write |\n| --- | --- | --- | --- |\n"
    return head + "".join(f"| {row.id} | {_arrow(row)} | {_conditions(row)} | {row.also} |\n" for row in ROWS.values())


def _arrow(row: Row) -> str:
    sources = ", ".join(state.value for state in row.sources) or "-"
    targets = ", ".join(state.value for state in row.targets) if row.target is not None else "the same"
    return f"{sources} → {targets}"


def _conditions(row: Row) -> str:
    words = [guard.value[2] for guard in row.guards]
    words += [f"the job {state.value}" for state in row.job_states]
    words += [f"the job: {guard.value[2]}" for guard in row.job_guards]
    return "; ".join(words) or "-"


def main() -> None:
    page = PAGE.read_text()
    PAGE.write_text(re.sub(f"{START}.*{END}", lambda _: f"{START}{transitions()}{END}", page, flags=re.DOTALL))


if __name__ == "__main__":
    main()
