"""``make demo OPENAI_UPSTREAM=URL``: what the local cloud makes of its environment."""

from __future__ import annotations

import pytest

from local.cloud.__main__ import priced, wishes
from local.cloud.trouble import Trouble
from local.openai.__main__ import options
from local.openai.upstream import UpstreamOptions

URL = "http://127.0.0.1:11434/v1"


def test_an_upstream_is_passed_on_to_the_local_server(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = wishes({"OPENAI_UPSTREAM": URL, "OPENAI_UPSTREAM_MODEL": "tiny", "OPENAI_UPSTREAM_API_KEY": "sk-theirs"})
    assert asked.own_openai
    assert "sk-theirs" not in repr(asked)
    monkeypatch.setenv("OPENAI_UPSTREAM_API_KEY", asked.upstream_key)
    started = options(["--port", "8080", *asked.upstream])
    assert started.upstream == UpstreamOptions(URL, key="sk-theirs", model="tiny")
    assert (started.port, started.profile) == (8080, "openai")


def test_without_one_the_local_server_answers_by_itself() -> None:
    assert wishes({}).upstream == ()
    assert options([]).upstream is None


def test_an_upstream_behind_another_api_makes_no_sense() -> None:
    with pytest.raises(Trouble, match="OPENAI_UPSTREAM"):
        wishes({"OPENAI_UPSTREAM": URL, "OPENAI_BASE_URL": "https://api.test/v1"})


def test_a_cost_is_what_openai_would_have_taken_where_nobody_takes_anything() -> None:
    assert priced(wishes({})).parameters == {"PriceProvider": "openai"}
    assert priced(wishes({"PARAMS": "PriceProvider= MaxAttempts=1"})).parameters == {
        "PriceProvider": "",
        "MaxAttempts": "1",
    }
    for env in ({"OPENAI_UPSTREAM": URL}, {"OPENAI_BASE_URL": "https://api.test/v1", "OPENAI_API_KEY": "sk-x"}):
        assert priced(wishes(env)).parameters == {}, "others have prices of their own"
