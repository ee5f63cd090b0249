"""What differs between providers: data only, each a change of the settings of ``openai``.

From the providers' documentation as of 2026-11-22 (third-party clients where there is none); nothing here was tried
against the provider itself, so every profile but ``openai`` is assumed (A25).
"""

from __future__ import annotations

from typing import Any

HOUR, DAY = 3_600, 86_400
MEBIBYTE = 1024 * 1024

#: openai-python 3.54.0, resources/batches.py: the endpoints that ``batches.create`` takes.
ENDPOINTS = (
    "/v1/responses",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/videos",
)
_CHAT = ["/v1/chat/completions"]
_TEXT = [*_CHAT, "/v1/completions", "/v1/embeddings"]


def _days(*days: int) -> dict[str, int]:
    return {f"{24 * day}h": day * DAY for day in days}


PROFILES: dict[str, dict[str, Any]] = {
    "openai": {},
    # learn.microsoft.com, how-to/batch: lines name deployments, jobs do not expire, files are "" or empty, not null.
    "azure": {
        "base_paths": ["/openai/v1", "/openai"],
        "key_header": "api-key",
        "endpoints": [*ENDPOINTS, "/chat/completions", "/responses", "/embeddings", "/completions"],
        "any_model": True,
        "max_requests": 100_000,
        "max_files": 500,
        "never_expires": True,
        "file_expiry": [14 * DAY, 30 * DAY],
        "missing_file_id": "",
        "empty_error_file": True,
        "tokens_at_create": True,
        "error_codes": {"invalid_url": "url_mismatch", "mismatched_model": "model_mismatch"},
        "webhooks": False,
    },
    "groq": {
        "base_paths": ["/openai/v1"],
        "endpoints": _CHAT,
        "any_model": True,
        "completion_windows": _days(1, 2, 3, 4, 5, 6, 7) | {"7d": 7 * DAY},
        "webhooks": False,
    },
    "deepinfra": {"base_paths": ["/v1/openai"], "endpoints": _TEXT, "any_model": True, "webhooks": False},
    "perplexity": {
        "endpoints": _CHAT,
        "any_model": True,
        "validates_uploads": True,
        "idempotency": True,
        "file_expiry": None,
        "webhooks": False,
    },
    "cerebras": {"endpoints": _CHAT, "any_model": True, "file_retention_seconds": 7 * DAY, "webhooks": False},
    "dashscope": {
        "base_paths": ["/compatible-mode/v1"],
        "endpoints": [*_CHAT, "/v1/embeddings"],
        "any_model": True,
        "completion_windows": _days(*range(1, 15)),
        "error_codes": {"invalid_url": "url_not_found"},
        "webhooks": False,
    },
    "parasail": {
        "endpoints": _TEXT,
        "any_model": True,
        "max_batch_bytes": 500 * MEBIBYTE,
        "webhooks": False,
    },
    "doubleword": {
        "endpoints": [*_TEXT, "/v1/responses"],
        "any_model": True,
        "custom_id_max": 64,
        "completion_windows": {"1h": HOUR, "24h": DAY, "background": 7 * DAY},
        "create_status": 201,
        "webhooks": False,
    },
    "nebius": {"endpoints": _TEXT, "any_model": True, "webhooks": False},
    "novita": {
        "base_paths": ["/openai/v1"],
        "endpoints": _TEXT,
        "any_model": True,
        "completion_windows": {"48h": 2 * DAY},
        "file_retention_seconds": 15 * DAY,
        "status_names": {
            "validating": "VALIDATING",
            "in_progress": "PROGRESS",
            "finalizing": "PROGRESS",
            "completed": "COMPLETED",
            "failed": "FAILED",
            "expired": "EXPIRED",
            "cancelling": "CANCELLING",
            "cancelled": "CANCELLED",
        },
        "webhooks": False,
    },
}
