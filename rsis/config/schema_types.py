"""What the value of a key may be, in words, from its JSON Schema.

{"type": "integer", "minimum": 1}                                    integer >= 1
{"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "null"}]}    number > 0, or null
"""

from collections.abc import Mapping
from typing import Any

from rsis.config.schema import MERGE, resolve

_NAMES = {"string": "text", "boolean": "true | false", "null": "null"}


def type_text(root: Mapping[str, Any], node: Mapping[str, Any]) -> str:
    """Return what a value may be, for people."""
    node = resolve(root, node)
    if "anyOf" in node:
        return ", or ".join(type_text(root, option) for option in node["anyOf"])
    if "enum" in node:
        return " | ".join(map(str, node["enum"]))
    if "const" in node:
        return str(node["const"])
    kind = node.get("type", "object")
    if kind == "array":
        return _list(root, node)
    if kind == "object":
        return _mapping(root, node)
    return _NAMES.get(kind) or kind + _range(node)


def _list(root: Mapping[str, Any], node: Mapping[str, Any]) -> str:
    items, least, most = node["items"], node.get("minItems", 0), node.get("maxItems")
    if isinstance(items, list):
        return f"[{', '.join(type_text(root, item) for item in items)}]"
    item = type_text(root, items)
    if least == most:
        return f"[{', '.join([item] * least)}]"
    number = f" ({least} to {most} of them)" if most else " (not empty)" if least else ""
    return f"list of {item}{number}"


def _mapping(root: Mapping[str, Any], node: Mapping[str, Any]) -> str:
    values = node.get("additionalProperties")
    if not isinstance(values, Mapping):
        return "mapping"
    names = [name for name in node.get("propertyNames", {}).get("enum", ()) if name != MERGE]
    inner = resolve(root, values)
    to = "" if "oneOf" in inner or "properties" in inner else f" to {type_text(root, inner)}"
    return f"mapping of {' | '.join(names) if names else 'names'}{to}"


def _range(node: Mapping[str, Any]) -> str:
    least, most = node.get("minimum"), node.get("maximum")
    if node["type"] == "integer" and "exclusiveMaximum" in node:
        most = node["exclusiveMaximum"] - 1
    if least is not None and most is not None:
        return f" {least} to {most}"
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    return ",".join(f" {sign} {node[key]}" for key, sign in signs.items() if key in node)
