"""The template as its readers see it: transformed, and with its references resolved."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samtranslator.translator.transform import transform

from local.cloud import template as source
from local.cloud.place import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CODE = "s3://artifacts/code"
ACCOUNT, REGION, STACK = "123456789012", "eu-central-1", "drops"
_PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::StackName": STACK,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}
_NOTHING = object()


class _NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


@functools.cache
def transformed(path: Path = TEMPLATE) -> dict[str, Any]:
    """What CloudFormation deploys: the serverless types translated, code pointing to S3 as after ``sam package``.

    Made once: nobody changes it.
    """
    loaded = source.load(path)
    loaded["Globals"]["Function"]["CodeUri"] = CODE
    for resource in loaded["Resources"].values():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = CODE
    result: dict[str, Any] = transform(loaded, {}, _NoManagedPolicies())
    return result


@dataclass(frozen=True)
class Template:
    """A transformed template with parameters, given or by default. Bucket and queue ARNs are as AWS makes them."""

    document: Mapping[str, Any]
    parameters: Mapping[str, str]

    def of_type(self, wanted: str) -> dict[str, dict[str, Any]]:
        """Properties of all resources of a type, by logical id, references resolved."""
        return {
            name: self.resolve(resource.get("Properties", {}))
            for name, resource in self.document["Resources"].items()
            if resource["Type"] == wanted and self._made(resource)
        }

    def properties(self, name: str) -> dict[str, Any]:
        """Of one resource, references resolved."""
        found: dict[str, Any] = self.resolve(self.document["Resources"][name]["Properties"])
        return found

    def statements(self, role: str) -> list[dict[str, Any]]:
        """Every statement of a role's policies."""
        policies = self.properties(role)["Policies"]
        return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]

    def resolve(self, value: Any) -> Any:
        """References and conditions as CloudFormation would see them."""
        if isinstance(value, list):
            return [one for one in map(self.resolve, value) if one is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name in {"Ref", "Fn::Sub", "Fn::GetAtt", "Fn::If"}:
                return self._intrinsic(name, argument)
        resolved = {name: self.resolve(one) for name, one in value.items()}
        return {name: one for name, one in resolved.items() if one is not _NOTHING}

    def _intrinsic(self, name: str, argument: Any) -> Any:
        if name == "Ref":
            return self._ref(argument)
        if name == "Fn::GetAtt":
            return self._attribute(".".join(argument) if isinstance(argument, list) else argument)
        if name == "Fn::If":
            condition, then, otherwise = argument
            return self.resolve(then if self._holds(condition) else otherwise)
        return re.sub(r"\$\{([^}!]+)\}", lambda found: self._named(found[1]), argument)

    def _named(self, name: str) -> str:
        return str(self._attribute(name) if "." in name else self._ref(name))

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name in self.document["Parameters"]:
            return self.parameters.get(name, str(self.document["Parameters"][name].get("Default")))
        properties = self.document["Resources"][name].get("Properties", {})
        for key in ("BucketName", "FunctionName"):
            if key in properties:
                return self.resolve(properties[key])
        if "QueueName" in properties:
            return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{self.resolve(properties['QueueName'])}"
        return name

    def _attribute(self, path: str) -> str:
        name, attribute = path.split(".", 1)
        properties = self.document["Resources"][name].get("Properties", {})
        if attribute == "Arn" and "BucketName" in properties:
            return f"arn:aws:s3:::{self.resolve(properties['BucketName'])}"
        if "QueueName" in properties:
            queue = str(self.resolve(properties["QueueName"]))
            return queue if attribute == "QueueName" else f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"
        return f"arn:of:{path}"

    def _made(self, resource: Mapping[str, Any]) -> bool:
        return "Condition" not in resource or self._holds(resource["Condition"])

    def _holds(self, condition: str) -> bool:
        return bool(self.judge(self.document["Conditions"][condition]))

    def judge(self, test: Mapping[str, Any]) -> bool:
        """Whether a condition holds."""
        ((name, arguments),) = test.items()
        if name == "Fn::Not":
            return not self.judge(arguments[0])
        assert name == "Fn::Equals", name
        left, right = self.resolve(arguments)
        return bool(left == right)


def wildcards(statement: Mapping[str, Any]) -> Iterator[str]:
    """Actions with a wildcard, and resources that are nothing but one."""
    for action in listed(statement["Action"]):
        if "*" in action:
            yield action
    for resource in listed(statement["Resource"]):
        if resource == "*":
            yield resource


def listed(value: str | list[str]) -> list[str]:
    """One or several, as a list."""
    return [value] if isinstance(value, str) else value
