"""Changes to params.yaml by key, so that tests do not depend on how its lines read."""

import io
from typing import Any

from ruamel.yaml import YAML


def change(text: str, path: str, value: Any) -> str:
    """Set a dotted key in YAML text; a value of ... removes it."""
    yaml = YAML(typ="safe", pure=True)
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    root = yaml.load(text)
    node = root
    *parents, last = path.split(".")
    for part in parents:
        node = node[part]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    stream = io.StringIO()
    yaml.dump(root, stream)
    return stream.getvalue()
