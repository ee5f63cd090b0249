from __future__ import annotations

import pytest

from tests.main_job.service import Service


@pytest.fixture
def service() -> Service:
    return Service()
