"""Tokens: an estimate of their number."""

from __future__ import annotations

from typing import Any

_BYTES_PER_TOKEN = 4  #: assumed (A20): OpenAI counts in its own way before it refuses


def prompt_tokens(body: dict[str, Any]) -> int:
    """Estimated prompt tokens of a request body: a quarter of the bytes of its texts, at least 1."""
    texts = (_text_size(body.get(name)) for name in ("messages", "input", "prompt", "instructions"))
    return max(1, sum(texts) // _BYTES_PER_TOKEN)


def text_tokens(text: str) -> int:
    """Estimated tokens of a text, at least 1."""
    return max(1, len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)


def _text_size(value: object) -> int:
    """Bytes of all strings in ``value``; a number in an array is a token by itself."""
    size = 0
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            size += len(item) if item.isascii() else len(item.encode("utf-8", "surrogatepass"))
        elif isinstance(item, dict):
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, int):
            size += _BYTES_PER_TOKEN
    return size
