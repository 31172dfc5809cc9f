"""The JSON Schema of params.yaml, by which editors complete, check and explain it: params.schema.json.

It is made from the models, `rsis keys --schema` prints it, and a line at the top of params.yaml names it:

    # yaml-language-server: $schema=params.schema.json
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

MERGE = "<<"  # YAML's merge key, which a parser replaces by the keys it stands for


class _ForEditors(GenerateJsonSchema):
    """JSON Schema of draft 7, which editors know best."""

    schema_dialect = "http://json-schema.org/draft-07/schema#"

    def tuple_schema(self, schema: Any) -> JsonSchemaValue:
        """Write the items of a tuple as draft 7 has them."""
        found = super().tuple_schema(schema)
        items = found.pop("prefixItems", [])
        if items:
            equal = all(item == items[0] for item in items)
            found |= {"items": items[0]} if equal else {"items": items, "additionalItems": False}
        return found

    def dict_schema(self, schema: Any) -> JsonSchemaValue:
        """Say apart what the names and the values of a mapping may be; editors take YAML's merge key for a name."""
        found = super().dict_schema(schema)
        for pattern, values in found.pop("patternProperties", {}).items():
            found |= {"additionalProperties": values, "propertyNames": {"pattern": f"^{MERGE}$|{pattern}"}}
        if "enum" in found.get("propertyNames", {}):
            found["propertyNames"] = {"enum": [*found["propertyNames"]["enum"], MERGE]}
        return found

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Leave out titles, which would repeat the names of the keys."""
        return False


@cache
def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a model, with defaults and meanings."""
    schema = model.model_json_schema(schema_generator=_ForEditors)
    return {"$schema": _ForEditors.schema_dialect, **_unwrapped(schema)}


def schema_text(model: type[BaseModel]) -> str:
    """Return the JSON Schema of a model as params.schema.json has it."""
    return json.dumps(schema_of(model), indent=1, ensure_ascii=False) + "\n"


def resolve(root: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a node, or what it refers to in the schema `root`."""
    if "$ref" not in node:
        return node
    found: Mapping[str, Any] = root
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def _unwrapped(node: Any) -> Any:
    """Make a line of each description."""
    if isinstance(node, dict):
        return {
            key: " ".join(item.split()) if key == "description" and isinstance(item, str) else _unwrapped(item)
            for key, item in node.items()
        }
    return [_unwrapped(item) for item in node] if isinstance(node, list) else node
