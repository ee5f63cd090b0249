"""Every environment variable that the functions read, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import msgspec

from batchdrop.core import allowance, limits, options
from batchdrop.core.errors import Misconfigured
from batchdrop.core.options import InvalidLines, Options

if TYPE_CHECKING:
    from collections.abc import Mapping

_BUCKETS = ("INPUT_BUCKET", "OUTPUT_BUCKET", "WORK_BUCKET")
#: Providers with batches whose prices the table of ``adapters.prices`` has; "": the one at ``openai_base_url``.
PriceProvider = Literal["", "openai", "azure", "google", "groq", "mistral", "x-ai"]
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Field names are the variables' names in lower case; ``template.yaml`` sets each of them for each function."""

    account_id: str
    table_name: str
    input_bucket: str
    output_bucket: str
    work_bucket: str
    plan_queue_url: str
    submit_queue_url: str
    collect_queue_url: str
    poller_function: str
    openai_base_url: str
    openai_secret_arn: str
    max_requests_per_batch: int
    max_bytes_per_batch: int
    max_attempts: int
    invalid_lines: InvalidLines
    completion_window: str
    keep_openai_files: bool
    settle_seconds: int
    create_lease_seconds: int
    max_job_hours: int
    enqueued_limits: str
    submit_concurrency: int
    max_cost_usd: str
    price_provider: PriceProvider

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Read and check the environment; ``Misconfigured`` names the variable that is missing or wrong."""
        names = {name.upper(): name for name in cls.__struct_fields__}
        if missing := sorted(set(names) - env.keys()):
            raise Misconfigured("missing_setting", f"environment variable {missing[0]} is not set")
        try:
            settings = msgspec.convert({name: env[upper] for upper, name in names.items()}, cls, strict=False)
        except msgspec.ValidationError as error:
            raise Misconfigured("invalid_setting", f"environment: {error}") from None
        return settings

    @property
    def options(self) -> Options:
        """What a job gets where its object's metadata says nothing."""
        return Options(
            invalid_lines=self.invalid_lines,
            max_attempts=self.max_attempts,
            completion_window=self.completion_window,
            max_cost_usd=options.cap(self.max_cost_usd),
        )

    @property
    def completion_windows(self) -> tuple[str, ...]:
        """Those that the provider takes; empty where only it knows."""
        return options.windows(urlsplit(self.openai_base_url).hostname or "")

    @property
    def token_limits(self) -> Mapping[str, int]:
        """``EnqueuedTokenLimits``: tokens by model, "*" for all others."""
        return allowance.configured(self.enqueued_limits)

    def __post_init__(self) -> None:
        url = urlsplit(self.openai_base_url)
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _LOOPBACK):
            raise Misconfigured("invalid_setting", "OPENAI_BASE_URL must be https, or http on loopback")
        if (known := self.completion_windows) and self.completion_window not in known:
            raise Misconfigured("invalid_setting", f"COMPLETION_WINDOW must be {' or '.join(known)} at {url.hostname}")
        if len({self.input_bucket, self.output_bucket, self.work_bucket}) < len(_BUCKETS):
            raise Misconfigured(
                "invalid_setting",
                f"{', '.join(_BUCKETS)} must be three buckets: results in the input bucket would be run as files",
            )
        bounds = {
            "max_requests_per_batch": (1, limits.REQUESTS_PER_BATCH),
            "max_bytes_per_batch": (1, limits.BYTES_PER_BATCH),
            "max_attempts": (1, 100),
            "settle_seconds": (0, 86_400),
            "create_lease_seconds": (1, 3_600),
            "max_job_hours": (1, 336),
            "submit_concurrency": (1, 1_000),
        }
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                raise Misconfigured("invalid_setting", f"{name.upper()} must be between {low} and {high}")
        try:
            allowance.configured(self.enqueued_limits)
        except ValueError as error:
            raise Misconfigured("invalid_setting", f"ENQUEUED_LIMITS {error}") from None
        try:
            options.cap(self.max_cost_usd)
        except ValueError as error:
            raise Misconfigured("invalid_setting", f"MAX_COST_USD must be {error}") from None
