"""What a person at the terminal must be told."""

from __future__ import annotations


class Trouble(Exception):  # noqa: N818 - named for its reader
    """The message is a whole sentence; where a log tells more, it names the file."""
