"""Every knob of a running server, and how fast its time passes.

The defaults are what OpenAI does, from the Batch guide and captures of the live API as of 2026-11-22. What no capture
shows is marked *assumed*.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from local.openai.profiles import DAY, ENDPOINTS, HOUR, MEBIBYTE, PROFILES

#: openai-python 3.54.0, types/file_purpose.py
PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")

#: Model families that exist; any other name is ``model_not_found``.
MODEL_PREFIXES = (
    "gpt-",
    "chatgpt-",
    "o1",
    "o3",
    "o4",
    "text-embedding-",
    "omni-moderation-",
    "text-moderation-",
    "davinci-002",
    "babbage-002",
    "dall-e-",
    "sora-",
    "ft:",
)

#: The snapshot that an alias stands for; the batch object and every answer name it.
SNAPSHOTS = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano": "gpt-4.1-nano-2025-04-14",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-5-nano": "gpt-5-nano-2025-08-07",
    "o3-mini": "o3-mini-2025-01-31",
    "o4-mini": "o4-mini-2025-04-16",
    "omni-moderation-latest": "omni-moderation-2024-09-26",
}


class Pace(msgspec.Struct, forbid_unknown_fields=True):
    """How long a batch stays in each status, in seconds. ``spread`` 0.2 makes that 80 to 120 %, by seed."""

    validating: float = 0.3
    in_progress: float = 1.5
    finalizing: float = 0.3
    cancelling: float = 0.5
    spread: float = 0.2
    slices: Annotated[int, msgspec.Meta(ge=1)] = 10  #: in how many steps the counts move

    def changed(self, patch: dict[str, float]) -> Pace:
        """This pace with the fields of ``patch``. Raises ``msgspec.ValidationError``."""
        return msgspec.convert(msgspec.to_builtins(self) | patch, Pace)


PACES = {
    "real": Pace(validating=8, in_progress=600, finalizing=10, cancelling=60),
    "fast": Pace(),
    "instant": Pace(validating=0.02, in_progress=0.04, finalizing=0.02, cancelling=0.05, spread=0, slices=2),
    "virtual": Pace(validating=8, in_progress=600, finalizing=10, cancelling=60, spread=0),
}


class Settings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Every switch of a running server. The defaults are the provider profile ``openai``."""

    pace: Pace = msgspec.field(default_factory=Pace)
    api_keys: list[str] = []  #: accepted keys; empty: every key
    key_header: str | None = None  #: a header that may hold the key, beside Authorization
    organization: str = "org-local"
    base_paths: list[str] = []  #: where the API is too, beside /v1; read at the start
    endpoints: tuple[str, ...] = ENDPOINTS
    completion_windows: dict[str, int] = msgspec.field(default_factory=lambda: {"24h": DAY})  #: in seconds
    never_expires: bool = False  #: batches outlive their window
    create_status: int = 200  #: of ``POST /batches``
    idempotency: bool = False  #: ``POST /batches`` heeds Idempotency-Key
    webhooks: bool = True  #: whether the provider has them
    status_names: dict[str, str] = {}  #: what a status is called, where it differs

    max_upload_bytes: int = 512 * MEBIBYTE
    max_batch_bytes: int = 200 * MEBIBYTE
    max_files: int | None = None
    max_part_bytes: int = 64 * MEBIBYTE
    max_upload_total_bytes: int = 8 * 1024 * MEBIBYTE  #: of the Uploads API
    upload_life_seconds: int = HOUR  #: of an upload that is not completed
    max_requests: int = 50_000
    max_embedding_inputs: int = 50_000
    max_errors: int = 1_000  #: entries in ``batch.errors``; assumed (A2)
    custom_id_max: int = 512  #: assumed (A1); 69 characters were seen to pass
    file_retention_seconds: int = 30 * DAY
    file_expiry: tuple[int, int] | None = (HOUR, 30 * DAY)  #: what ``expires_after`` may be; null: it is refused
    validates_uploads: bool = False  #: judge every line of a batch file at its upload, with a 400

    any_model: bool = False  #: accept every model name
    models: dict[str, str] = {}  #: further model names, each with its snapshot

    token_limits: dict[str, int] = {}  #: enqueued prompt tokens by model; absent: no limit
    token_release_lag: float = 0.0  #: seconds from the end of a batch until its tokens and requests are free
    phantom_tokens: bool = False  #: refuse as if the queue were full
    tokens_at_create: bool = False  #: refuse with a 400 at create, instead of a batch that fails
    max_enqueued_embeddings: int = 1_000_000  #: requests for embeddings in unfinished batches
    creates_per_hour: int = 2_000

    list_lag_seconds: float = 0.0  #: a batch younger than this is absent from the list; assumed (A14)
    missing_file_id: str | None = None  #: null, or "" as captured in 2026-07: the id of a file that there is not
    empty_error_file: bool = False  #: a batch without errors has an error file of 0 bytes
    error_codes: dict[str, str] = {}  #: what a code of ``batch.errors`` is called, where it differs
    unknown_file_at_create: bool = False  #: 400 at create, instead of a batch that fails
    content_gzip: bool = False  #: compress file contents for clients that accept it
    content_range: bool = False  #: honour ``Range`` on file contents; that it is not is assumed (A19)

    webhook_retry_seconds: float = 5.0  #: until the first retry, doubled each time; assumed (A24)
    webhook_retry_most: float = 4 * HOUR  #: between two retries; assumed (A24)
    webhook_give_up_seconds: float = 72 * HOUR

    def update(self, patch: dict[str, Any]) -> None:
        """Change fields in place. Raises ``msgspec.ValidationError`` for an unknown name or a wrong type."""
        current = msgspec.to_builtins(self)
        if isinstance(patch.get("pace"), dict):
            patch = patch | {"pace": current["pace"] | patch["pace"]}
        changed = msgspec.convert(current | patch, Settings)
        for name in self.__struct_fields__:
            setattr(self, name, getattr(changed, name))

    def knows_model(self, model: str) -> bool:
        """Whether the Batch API takes this model."""
        return self.any_model or model in self.models or model.startswith(MODEL_PREFIXES)

    def snapshot(self, model: str) -> str:
        """The dated name that ``model`` resolves to; itself if it is one."""
        return self.models.get(model) or SNAPSHOTS.get(model, model)


def settings_for(speed: str, profile: str = "openai", patch: dict[str, Any] | None = None) -> Settings:
    """The settings of a profile at a named speed (a key of ``PACES``), changed by ``patch``. Raises ``KeyError``."""
    settings = Settings(pace=PACES[speed].changed({}))
    settings.update(PROFILES[profile])
    settings.update(patch or {})
    return settings
