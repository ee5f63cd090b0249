"""Read a CloudFormation template: YAML with the short forms of intrinsic functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

_BARE = frozenset({"Ref", "Condition"})


class _Loader(yaml.SafeLoader):
    """SafeLoader that knows ``!Ref``, ``!Sub`` and the like."""


def _intrinsic(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    value = _value(loader, node)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in _BARE else f"Fn::{name}": value}


def _value(loader: _Loader, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return node.value


_Loader.add_multi_constructor("!", _intrinsic)


def load(path: Path) -> dict[str, Any]:
    """The template as CloudFormation's JSON has it, intrinsic functions in their long form."""
    loaded: dict[str, Any] = yaml.load(path.read_text(), _Loader)  # noqa: S506 - a SafeLoader
    return loaded
