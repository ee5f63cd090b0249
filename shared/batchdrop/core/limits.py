"""Limits and endpoints of the Batch API, with source and date.

Sources, all read on 2026-11-22: [G] OpenAI's Batch guide; [O] ``openai-openapi`` at f85dbe2; [S] ``openai-python``
3.54; [L] seen live by third parties; [U] unverified, chosen on the safe side.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUESTS_PER_BATCH = 50_000  #: [O]
BYTES_PER_BATCH = 209_715_200  #: [L] the figure in the API's own error message, 2026-04
EMBEDDING_INPUTS_PER_BATCH = 50_000  #: [O] inputs over all requests of a batch
CREATES_PER_HOUR = 2_000  #: [G] per organization
CUSTOM_ID_CHARACTERS = 64  #: [U] OpenAI publishes none; 64 is what compatible providers enforce
COMPLETION_WINDOWS = ("24h",)  #: [O], and Azure's documentation: what these hosts take alone. Others judge their own.
COMPLETION_WINDOW_HOSTS = ("api.openai.com", "openai.azure.com")
UPLOAD_SECONDS_TO_LIVE = 30 * 86_400  #: [S] the longest ``expires_after`` of a file

REQUESTS_PER_CHUNK = 50_000
BYTES_PER_CHUNK = 200_000_000
PROJECTED_BYTES_PER_CHUNK = 1_000_000_000
PROJECTED_BYTES_PER_BATCH = 100_000_000  #: [L] downloads above about 200 MB are cut, openai-python#2959
BATCHES_PER_CHUNK = 50  #: keeps every transaction below DynamoDB's 100 items
PAIRS_PER_JOB = BATCHES_PER_CHUNK  #: with one more, interleaved, each chunk would hold a line of each
LINE_BYTES = 80_000_000  #: the API takes 50 MB a request [G], 67 in base64; two lines must fit a function's memory
LINE_DEPTH = 128
NUMBER_DIGITS = 4_300  #: [U] Python's json takes no longer integer
STEM_BYTES = 928  #: of S3's 1,024: the parts' folder with the job's id, 54 at most, and their names need 96
MODEL_CHARACTERS = 256  #: it names an entry of the job's item
GZIP_FREE_BYTES = 100_000_000  #: below this the ratio is not asked: a small file of one repeated prompt packs well
GZIP_RATIO = 250  #: requests that differ pack 3 to 60 times; deflate alone cannot do more than 1,032 times
GZIP_BYTES = 100_000_000_000  #: unpacked; what is skipped again by each continuation must fit half of one


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint that takes batches. ``answer_bytes``: the projected size of one result line, without embeddings.

    ``prompt``: the parameter without which OpenAI fails the whole batch; captured for chat completions, for the others
    assumed. ``answer_tokens``: what an answer is taken to hold where its request names no limit; 0: none that are paid
    for.
    """

    path: str
    answer_bytes: int
    prompt: str = ""
    embeds: bool = False
    answer_tokens: int = 1_000


ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType(
    {
        endpoint.path: endpoint
        for endpoint in (
            # [S] resources/batches.py of 3.54 and [O]. 2,000 bytes: 50,000 usual answers stay within 100 MB.
            Endpoint("/v1/responses", 2_000),
            Endpoint("/v1/chat/completions", 2_000, "messages"),
            Endpoint("/v1/embeddings", 500, "input", embeds=True, answer_tokens=0),
            Endpoint("/v1/completions", 2_000, "prompt", answer_tokens=16),  # [O] its own default
            Endpoint("/v1/moderations", 2_000, "input", answer_tokens=0),
            # Answers carry base64 images of one to three MB; the largest, at high quality, is 6,240 tokens [G].
            Endpoint("/v1/images/generations", 3_000_000, "prompt", answer_tokens=6_240),
            Endpoint("/v1/images/edits", 3_000_000, "prompt", answer_tokens=6_240),
            Endpoint("/v1/videos", 2_000, "prompt"),
            # Azure's deployments are called without the version.
            Endpoint("/chat/completions", 2_000, "messages"),
            Endpoint("/embeddings", 500, "input", embeds=True, answer_tokens=0),
            Endpoint("/responses", 2_000),
        )
    }
)

EMBEDDING_DIMENSIONS = 3_072  #: of the largest model, where a request names none
BYTES_PER_DIMENSION = 21  #: a float in JSON text, [L] 8 to 35 kB for 1,536 of them
BYTES_PER_PACKED_DIMENSION = 6  #: four bytes in base64 (``encoding_format``)

ANSWERS_PER_REQUEST = 128  #: [O] the most that ``n`` may ask for
TOP_LOGPROBS = 21  #: [O] ``top_logprobs`` is 20 at the most; the token itself comes first
USUAL_ANSWER_TOKENS = 250  #: of the 2,000 bytes of an answer, half are its text
BYTES_PER_LOGPROB = 90  #: [S] a token, its probability and its bytes, in JSON

#: Prompt tokens are estimated from bytes: four bytes a token is English prose in OpenAI's tokenizers.
BYTES_PER_TOKEN = 4
