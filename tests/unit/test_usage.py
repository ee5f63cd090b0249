"""Tokens, in every spelling of the API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchdrop.core import answers, usage
from batchdrop.core.answers import Sieve
from batchdrop.core.model import Usage


def counted(reported: Any) -> Usage:
    line = json.dumps({"custom_id": "a", "response": {"status_code": 200, "body": {"usage": reported}}, "error": None})
    sieve = Sieve({"a": 0})
    sieve.take(line.encode())
    return sieve.usage


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "total_tokens": 120,
                "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 15},
            },
            Usage(requests=1, input_tokens=100, cached_input_tokens=60, output_tokens=20, reasoning_tokens=15),
        ),
        (
            {
                "input_tokens": 7,
                "input_tokens_details": {"cached_tokens": 2},
                "output_tokens": 3,
                "output_tokens_details": {"reasoning_tokens": 1},
                "total_tokens": 10,
            },
            Usage(requests=1, input_tokens=7, cached_input_tokens=2, output_tokens=3, reasoning_tokens=1),
        ),
        ({"prompt_tokens": 8, "total_tokens": 8}, Usage(requests=1, input_tokens=8)),
        ({"prompt_tokens": 8, "prompt_tokens_details": None}, Usage(requests=1, input_tokens=8)),
        ({"prompt_tokens": 8.0, "completion_tokens": "2"}, Usage(requests=1, input_tokens=8)),
        ({"prompt_tokens": True, "prompt_tokens_details": [1]}, Usage(requests=1)),
        (
            {
                "input_tokens": 50,
                "output_tokens": 4160,
                "total_tokens": 4210,
                "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
                "output_tokens_details": {"image_tokens": 4160, "text_tokens": 0},
            },
            Usage(requests=1, input_tokens=50, output_tokens=4160),
        ),
        (
            {
                "input_tokens": 9,
                "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
                "output_tokens": 1,
            },
            Usage(requests=1, input_tokens=9, cached_input_tokens=4, cache_write_tokens=3, output_tokens=1),
        ),
        (
            {"prompt_tokens": "8", "prompt_tokens_details": {"cache_write_tokens": 3}},
            Usage(requests=1, cache_write_tokens=3),
        ),
        (None, Usage(unreported=1)),
        ("unknown", Usage(unreported=1)),
    ],
)
def test_tokens_are_counted_as_the_endpoint_spells_them(reported: Any, expected: Usage) -> None:
    assert counted(reported) == expected


def test_a_tally_is_the_sum_of_what_was_added() -> None:
    tally = usage.Tally()
    for _ in range(3):
        tally.add(usage.Reported(input_tokens=2, completion_tokens=1))

    assert tally.usage == Usage(requests=3, input_tokens=6, output_tokens=3)


def test_answers_to_long_prompts_are_also_counted_apart() -> None:
    tally = usage.Tally(above=10)
    for prompt in (10, 11, 30):
        tally.add(usage.Reported(prompt_tokens=prompt, completion_tokens=1))
    assert tally.usage == Usage(requests=3, input_tokens=51, output_tokens=3)
    assert tally.long_usage == Usage(requests=2, input_tokens=41, output_tokens=2)


def test_an_answer_that_failed_is_not_one_that_should_have_reported_tokens() -> None:
    sieve = Sieve({"a": 0})
    sieve.take(answers.record("a", "x", "y"))

    assert sieve.usage == Usage()
