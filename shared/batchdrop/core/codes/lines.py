"""Why a line is not sent."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from batchdrop.core import limits
from batchdrop.core.codes.text import Text, text

#: A line is not sent. It has its result line and its line in errors.jsonl; all others are run.
LINES: Mapping[str, Text] = MappingProxyType(
    {
        "invalid_json_line.encoding": text("The line is not UTF-8.", "Save the file as UTF-8."),
        "invalid_json_line.number": text(
            "A number in the line has more than {most:,} digits, which parsers of JSON refuse.",
            "Write it as a text.",
            most=limits.NUMBER_DIGITS,
        ),
        "invalid_json_line": text(
            "This line is not parseable as valid JSON: {detail}.",
            "Write one JSON object per line, with a JSON library.",
            detail="invalid character (byte 14)",
        ),
        "invalid_json_line.comma": text(
            "A comma stands behind the object (byte {at}).", "Write one JSON object per line, and nothing else.", at=163
        ),
        "invalid_json_line.several": text(
            "A second object begins in the line (byte {at}).", "Write one JSON object per line.", at=163
        ),
        "invalid_json_line.quote": text(
            '{what} stands where JSON has " (byte {at}).',
            "Write the line with a JSON library, such as Python's json.dumps.",
            what="'",
            at=1,
        ),
        "invalid_json_line.word": text(
            "{what} is no value of JSON (byte {at}).", "Write true, false, null, or a text.", what="NaN", at=111
        ),
        "invalid_json_line.comment": text("JSON has no comments (byte {at}).", "Take it out.", at=0),
        "invalid_json_line.control": text(
            "A text in the line has a tab, or another control character, as it is (byte {at}).",
            "Escape it, \\t for a tab, or write the line with a JSON library.",
            at=146,
        ),
        "too_deep": text("The line nests deeper than {most} levels.", "Flatten it.", most=limits.LINE_DEPTH),
        "line_too_long": text(
            "The line is longer than {most:,} bytes.",
            "Make the request smaller: refer to files and images by id or URL.",
            most=limits.LINE_BYTES,
        ),
        "not_an_object": text("The line is JSON but not an object.", "Write one request {{...}} per line."),
        "not_a_request": text(
            "The line is {kind}.", "{mend}", kind="a result, not a request", mend="Drop the requests."
        ),
        "duplicate_key": text(
            "'{name}' stands twice in the line; which of them counts would be left to chance.",
            "Leave one.",
            name="body.model",
        ),
        "missing_required_parameter": text(
            "Missing required parameter: '{name}'.", "Add it to the line.", name="method"
        ),
        "invalid_method": text("'method' is not \"POST\".", 'Write "method": "POST".'),
        "invalid_url": text(
            "'url' is {url}, which takes no batches.",
            "Use one of: {accepted}.",
            url='"/v1/files"',
            accepted=", ".join(limits.ENDPOINTS),
        ),
        "invalid_request.body": text(
            "'body' is no JSON object.", "It must be an object with the request's parameters."
        ),
        "invalid_request.model": text(
            "Model parameter is required.",
            "Set 'body.model' to a text of 1 to {most} characters.",
            most=limits.MODEL_CHARACTERS,
        ),
        "invalid_request.prompt": text(
            "{name} parameter is required.", "Set 'body.{key}'.", name="Messages", key="messages"
        ),
        "invalid_request.background": text(
            "Background mode makes no sense in a batch: its answer would only be that it has begun.",
            "Remove 'body.background', or set it to false.",
        ),
        "streaming_unsupported": text(
            "Streaming is not supported in the Batch API.", "Remove 'body.stream', or set it to false."
        ),
        "too_many_inputs": text(
            "'body.input' holds {inputs:,} texts; a batch takes {most:,}.",
            "Spread them over several lines.",
            inputs=60_000,
            most=limits.EMBEDDING_INPUTS_PER_BATCH,
        ),
        "not_mended": text("This line of an errors file has no request.", "Put the mended one here instead of it."),
    }
)
