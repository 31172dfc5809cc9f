"""YAML from a file that may be damaged or hostile: limits on size, depth and aliases, checked before values are made.

A few lines of YAML can stand for gigabytes, when an alias names a list of aliases to a list of aliases. So the nodes
that a file stands for, each counted as often as aliases repeat it, are counted before anything is built from them.

The file is parsed by libyaml, a tenth of the time of a parser in Python, which every command would spend. The types of
plain words are those of YAML 1.2, as DVC reads them: 1e-3 is a number, 010 is ten, `on` and `no` are text.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from rsis.errors import UserError

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML that was built without libyaml: slower, and otherwise the same
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

LARGEST_FILE = 1_000_000  # bytes
DEEPEST = 30  # mappings and lists within each other
MOST_NODES = 50_000  # keys, values, lists and mappings, with all that aliases and merge keys repeat
_WORDS = {  # by tag: what such a plain word looks like, and what it begins with
    "bool": ("true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": ("[-+]?(0b[01_]+|0o?[0-7_]+|[0-9_]+|0x[0-9a-fA-F_]+)", "-+0123456789"),
    "float": (
        r"[-+]?[0-9][0-9_]*(\.[0-9_]*([eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)|[-+]?\.[0-9_]+([eE][-+][0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    "null": ("~|null|Null|NULL|", ["~", "n", "N", ""]),
    "merge": ("<<", "<"),
}
_BASES = {"0b": 2, "0o": 8, "0x": 16}


class _RefusedError(yaml.YAMLError):
    """The file is YAML, but has a key twice or stands for more than the limits allow."""


class _Loader(_SafeLoader):
    """Builds dicts, lists, text and numbers of a tree of nodes, after that was counted."""

    def get_single_node(self) -> yaml.Node | None:
        """Return the root of the only document, or None."""
        root = super().get_single_node()
        if root is not None:
            _count(root, {})
        return root


def _whole(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    digits = text.lstrip("+-")
    number = int(digits, _BASES.get(digits[:2], 10))
    return -number if text.startswith("-") else number


_Loader.yaml_implicit_resolvers = {}  # not those of YAML 1.1
for _tag, (_pattern, _first) in _WORDS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", _whole)


def read_yaml(path: Path) -> Any:
    """Read a YAML 1.2 file.

    Raises:
        UserError: The file cannot be read, is not YAML, has a key twice, or stands for more than the limits allow.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror or error}); make it readable") from error
    if len(content) > LARGEST_FILE:
        raise UserError(f"{path}: larger than {LARGEST_FILE} bytes; expected a file of parameters, so shorten it")
    try:
        text = content.decode("utf-8")
        _refuse_deep(text)
        return yaml.load(text, _Loader)  # a safe loader
    # a tag such as !!int or a date fails with whatever Python says of the text behind it
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        where = " ".join(str(error).replace('in "<unicode string>", ', "").split())
        where = where if len(where) <= 300 else f"{where[:300]}..."
        raise UserError(f"{path}: not valid YAML ({where}); correct it") from error


def _refuse_deep(text: str) -> None:
    """Raise where mappings and lists lie too deep within each other: PyYAML builds them by recursion."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _RefusedError(f"more than {DEEPEST} mappings and lists within each other, {_place(event)}")


def _count(node: yaml.Node, known: dict[int, int | None]) -> int:
    """Return for how many nodes one stands; `known` has those counted, and None for those being counted."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) in known:
        count = known[id(node)]
        if count is None:
            raise _RefusedError(f"an alias repeats what it is part of, {_place(node)}")
        return count
    known[id(node)] = None
    total = 1
    if isinstance(node, yaml.MappingNode):
        _refuse_repeated(node)
    for item in node.value:
        total += sum(_count(part, known) for part in (item if isinstance(item, tuple) else (item,)))
        if total > MOST_NODES:
            raise _RefusedError(f"stands for more than {MOST_NODES} values, counting what aliases repeat")
    known[id(node)] = total
    return total


def _refuse_repeated(node: yaml.MappingNode) -> None:
    """Raise where a mapping has a key twice: one of the two values would silently not count."""
    seen = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if (key.tag, key.value) in seen:
                raise _RefusedError(f"key {key.value!r} is there twice, {_place(key)}")
            seen.add((key.tag, key.value))


def _place(part: yaml.Node | yaml.Event) -> str:
    return f"line {part.start_mark.line + 1}" if part.start_mark is not None else "somewhere"
