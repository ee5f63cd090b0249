"""Why a file is not run."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from batchdrop.core import limits
from batchdrop.core.codes.text import Text, text

_NO_REQUEST = "Lines in the file: {lines:,}. None is a valid request; nothing was run."
_EACH = "What is wrong with each stands in {errors}."
_ERRORS = "reviews.reviews-1a2b3c4d5e6f.errors.jsonl"

#: The whole file is not run: the job is ``failed`` and nothing was bought.
FILES: Mapping[str, Text] = MappingProxyType(
    {
        "empty_file": text("The file holds no line.", "Drop it again once it has its requests."),
        "unsupported_type.name": text(
            "The name must end in .jsonl, .ndjson, .jsonl.gz or .ndjson.gz.", "Drop JSON Lines under such a name."
        ),
        "unsupported_type.content": text("The file is {kind}.", "{mend}", kind="a Parquet file", mend="Convert it."),
        "no_valid_requests.kind": text(
            _NO_REQUEST + " It looks like {kind}.", "{mend}", lines=3, kind="a table (CSV)", mend="Make requests of it."
        ),
        "no_valid_requests": text(
            _NO_REQUEST,
            'A request is {{"custom_id": ..., "method": "POST", "url": ..., "body": {{...}}}}. ' + _EACH,
            lines=3,
            errors=_ERRORS,
        ),
        "no_valid_requests.lines": text(
            _NO_REQUEST + " The first one: {why}",
            _EACH,
            lines=3,
            errors=_ERRORS,
            why='\'method\' is not "POST". Write "method": "POST".',
        ),
        "invalid_lines": text(
            "This job runs all lines or none, and some cannot be run: {named}.",
            "Mend them, or drop the file with the metadata invalid-lines=report."
            " What is wrong with each stands in {errors}.",
            named="line 7 (invalid_json_line), line 9 (invalid_url)",
            errors=_ERRORS,
        ),
        "invalid_option": text(
            "The object's metadata {name} has a value that it cannot have; nothing was run.",
            "It must be {accepted}.",
            name="invalid-lines",
            accepted="report or reject",
        ),
        "invalid_option.name": text(
            "The object's metadata has {given}, which is no option; nothing was run.",
            "Write {name}.",
            given="max_cost_usd",
            name="max-cost-usd",
        ),
        "too_many_pairs": text(
            "The file has more than {most} pairs of model and endpoint by line {line}; each needs batches of its own.",
            "Split it by model.",
            most=limits.PAIRS_PER_JOB,
            line=1_204,
        ),
        "duplicate_of": text(
            "The same content was dropped on this key before, and its job {job} is still under way. Nothing was run "
            "for this one.",
            "Wait for that job, or cancel it first.",
            job="reviews-1a2b3c4d5e6f",
        ),
        "corrupt_gzip": text(
            "The gzip file is damaged ({detail}); nothing was run.",
            "Pack and drop it again.",
            detail="it ends in the middle",
        ),
        "gzip_bomb.bytes": text(
            "The gzip file unpacks to more than {most:,} bytes.", "Split it.", most=limits.GZIP_BYTES
        ),
        "gzip_bomb.ratio": text(
            "The gzip file unpacks to more than {most} times its size.",
            "Drop it without compression.",
            most=limits.GZIP_RATIO,
        ),
        "gzip_too_large": text(
            "The file is too large to be read as gzip, which cannot be entered in its middle.",
            "Drop it unpacked, or in several files.",
        ),
        "key_too_long": text(
            "The key is too long: without its extension it may have {most} bytes, since the outputs' keys are longer.",
            "Shorten it.",
            most=limits.STEM_BYTES,
        ),
        "unversioned_bucket": text(
            "The bucket {bucket} keeps no versions, so the file could change while it is run.",
            "Turn versioning on and drop the file again.",
            bucket="my-input",
        ),
        "unknown_price": text(
            "The job must not cost more than ${cap}, and what a batch costs is not known of {models}; nothing was run.",
            "If OpenAIBaseUrl does not say whose prices hold, the stack's parameter PriceProvider does. Drop the file "
            "with the metadata max-cost-usd=none to run it whatever it costs.",
            cap="5",
            models="my-model",
        ),
        "over_cost_cap": text(
            "The job may cost ${total}, which is more than ${cap}; nothing was run. {models}.",
            "Drop the file with a higher max-cost-usd in its metadata, set a (lower) limit such as max_output_tokens "
            "in its requests, or drop fewer.",
            total="12.40",
            cap="5",
            models="gpt-5-mini: 10,000 requests",
        ),
        "input_gone": text(
            "{place} is not there (any more) as it was.", "Upload it again.", place="s3://my-input/reviews.jsonl"
        ),
        "access_denied": text(
            "{place} may not be read.",
            "Give the role s3:GetObject on it; if the bucket is encrypted under a KMS key, kms:Decrypt on that too.",
            place="s3://my-input/reviews.jsonl",
        ),
        "access_denied.key": text(
            "{place} is encrypted under a KMS key that may not be used: {key}.",
            "Enable the key, and give the role kms:Decrypt on it.",
            place="s3://my-input/reviews.jsonl",
            key="arn:aws:kms:eu-west-1:123456789012:key/1234abcd",
        ),
        "not_readable": text(
            "{place} lies in an archive (Glacier).",
            "Restore it, or upload it as a copy.",
            place="s3://my-input/reviews.jsonl",
        ),
        "cancelled.file": text(
            "The job was cancelled before anything was run.", "Drop the file again if it is to run after all."
        ),
        "deadline.file": text(
            "Reading the file took longer than MaxJobHours ({hours}); nothing was run.",
            "Drop it in several files.",
            hours=72,
        ),
        "quarantined.file": text(
            "Reading the file crashed {crashes} times {where}; nothing was run.",
            "The submitter's log has the cause.",
            crashes=5,
            where="behind line 50,000",
        ),
    }
)
