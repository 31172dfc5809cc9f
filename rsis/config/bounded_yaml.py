"""YAML from a file that may be damaged or hostile: limits on size, depth and aliases, checked before values are made.

A few lines of YAML can stand for gigabytes, when an alias names a list of aliases to a list of aliases. So the nodes
that a file stands for, each counted as often as aliases repeat it, are counted before anything is built from them.
"""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import Node, ScalarNode

from rsis.errors import UserError

LARGEST_FILE = 1_000_000  # bytes
DEEPEST = 30  # mappings and lists within each other
MOST_NODES = 50_000  # keys, values, lists and mappings, with all that aliases and merge keys repeat


class _TooLargeError(YAMLError):
    """The file stands for more than the limits allow."""


class _BoundedComposer(Composer):
    """Composes the tree of nodes and counts what it stands for."""

    def get_single_node(self) -> Any:
        """Return the root of the only document, or None."""
        root = super().get_single_node()
        if root is not None:
            _count(root, {})
        return root


def read_yaml(path: Path) -> Any:
    """Read a YAML 1.2 file by the parser DVC uses, so 1e-3 is a number to both.

    Raises:
        UserError: The file cannot be read, is not YAML, or stands for more than the limits above allow.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror or error}); make it readable") from error
    if len(content) > LARGEST_FILE:
        raise UserError(f"{path}: larger than {LARGEST_FILE} bytes; expected a file of parameters, so shorten it")
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = DEEPEST
    yaml.Composer = _BoundedComposer
    try:
        return yaml.load(content.decode("utf-8"))
    # a tag such as !!int or a date fails with whatever Python says of the text behind it
    except (YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        where = " ".join(str(error).split())
        where = where if len(where) <= 300 else f"{where[:300]}..."
        raise UserError(f"{path}: not valid YAML ({where}); correct it") from error


def _count(node: Node, known: dict[int, int | None]) -> int:
    """Return for how many nodes one stands; `known` has those counted, and None for those being counted."""
    if isinstance(node, ScalarNode):
        return 1
    if id(node) in known:
        count = known[id(node)]
        if count is None:
            raise _TooLargeError(f"an alias repeats what it is part of, {_place(node)}")
        return count
    known[id(node)] = None
    total = 1
    for item in node.value:
        total += sum(_count(part, known) for part in (item if isinstance(item, tuple) else (item,)))
        if total > MOST_NODES:
            raise _TooLargeError(f"stands for more than {MOST_NODES} values, counting what aliases repeat")
    known[id(node)] = total
    return total


def _place(node: Node) -> str:
    return f"line {node.start_mark.line + 1}"
