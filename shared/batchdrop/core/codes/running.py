"""Why a request has no answer, and why batches wait for the operator."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from batchdrop.core.codes.text import Text, text

#: A request was sent, or was to be sent, and has no answer. Codes of the provider's own stand as it gave them.
REQUESTS: Mapping[str, Text] = MappingProxyType(
    {
        "cancelled": text("The job was cancelled before this request was answered.", "Drop it again to run it."),
        "deadline": text(
            "The job ran for longer than MaxJobHours and ended before this request was answered.",
            "Drop it again, or raise MaxJobHours.",
        ),
        "invalid_json_line.double": text(
            "A number in the line is beyond what a double holds, and the provider refused the batch that had it.",
            "Write a number that JSON parsers take, or a text.",
        ),
        "no_answer": text(
            "The provider returned no line for this request.", "Drop it again; if that repeats, ask the provider."
        ),
        "not_answered": text(
            "The batch of this request was given up before it was answered.", "Drop it again to run it."
        ),
        "quarantined": text(
            "Work on the batch of this request crashed five times.",
            "See the section quarantined of the status and the log for the cause; answers that are paid for are named.",
        ),
    }
)

#: Batches wait, visibly, and go on by themselves once it is mended.
BLOCKED: Mapping[str, Text] = MappingProxyType(
    {
        "invalid_api_key": text("The provider refuses the API key.", "Put a valid one in the secret."),
        "insufficient_quota": text(
            "{message}.", "Add credit or raise the limit.", message="You exceeded your current quota"
        ),
        "billing_hard_limit_reached": text(
            "{message}.", "Add credit or raise the limit.", message="Billing hard limit has been reached"
        ),
        "billing_not_active": text(
            "{message}.", "Activate billing at the provider.", message="Your account is not active"
        ),
        "permission_denied": text(
            "{message}.", "Let the key read and write files and batches.", message="The provider answered HTTP 403"
        ),
        "wrong_base_url": text(
            "There is no Batch API under OpenAIBaseUrl (HTTP {status}).", "Deploy with the right one.", status=404
        ),
        "missing_secret": text(
            "{secret}: {why}.",
            "Put the key in it with `aws secretsmanager put-secret-value`, bare or as a JSON object with api_key.",
            secret="arn:aws:secretsmanager:…:openai",  # noqa: S106 - a name
            why="it holds no key",
        ),
        "access_denied.role": text(
            "{service} denied {operation}.",
            "Mend the role; where a bucket is encrypted under a KMS key, it needs that key too.",
            service="S3",
            operation="PutObject on s3://my-output/reviews.results.jsonl",
        ),
        "cannot_fence": text(
            "The batch's input file is gone, and perhaps not by us: somebody else did it, or the key was replaced.",
            "Look for the batch at the provider; docs/operations.md says how to go on.",
        ),
        "batch_unknown_to_api": text(
            "There is no such batch under the present key.", "Use a key of the project that it was made in."
        ),
    }
)
