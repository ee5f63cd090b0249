"""What the template's roles allow, held against what was used."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from tests.access.actions import Use
from tests.template.reading import Template, listed

FUNCTIONS = ("submitter", "poller", "collector")

#: Used by Lambda in the function's name, before and after it runs.
BY_LAMBDA = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
}


def granted(template: Template, function: str) -> set[Use]:
    """Every (action, resource pattern) of the function's role."""
    return {
        (action, resource)
        for statement in template.statements(f"{function.title()}Role")
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def grants_for(use: Use, of: Iterable[Use]) -> set[Use]:
    """Those grants that allow a use."""
    action, resource = use
    return {grant for grant in of if grant[0] == action and fnmatchcase(resource, grant[1])}
