"""All keys of params.yaml with type, default and meaning, read off the models that the file is checked by.

What is to be said of a key stands once, below its field. From there it comes into params.schema.json, by which editors
help, into `rsis keys`, the page "All keys of params.yaml" and the errors about a value. A key is written as a path, in
which names of the user's choice are capitals:

    runs.RUN.train.lr: number > 0, must be given
        Learning rate of decoder and skip connections. Paper, section 4.1: 1e-3.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from rsis.config.schema import resolve, schema_of
from rsis.config.schema_types import type_text
from rsis.errors import UserError

Schema = Mapping[str, Any]
Variants = Mapping[str, tuple[str, ...]]  # such as {"format": ("coco", "maps")}


@dataclass(frozen=True)
class Key:
    """One key of params.yaml.

    Attributes:
        path: From the top; a name of the user's choice is in capitals, such as RUN.
        type: What its value may be.
        default: The value it has when it is not written, as JSON; None = it must be written.
        meaning: Sentences: what it is, in which unit, and where its numbers come from.
        only: With which formats of a data set and kinds of a source it exists; empty = with all.
    """

    path: tuple[str, ...]
    type: str
    default: str | None
    meaning: str
    only: str = ""

    @property
    def name(self) -> str:
        """The path with dots."""
        return ".".join(self.path)


def list_keys(model: type[BaseModel]) -> list[Key]:
    """Return all keys of a model and of the models within, those of one mapping together."""
    schema = schema_of(model)
    return _together(_merged(list(_walk(schema, schema, (), {}))))


def matching_keys(keys: Sequence[Key], name: str) -> list[Key]:
    """Return the keys that a name means, and those below them.

    Args:
        keys: All keys.
        name: The end of a path (`lr`, `train.lr`), or a part of one (`objective`); in place of RUN and the like behind
            another word may stand a name (`runs.demo.train.lr`).

    Raises:
        UserError: There is none; says which names are near.
    """
    wanted = name.split(".")
    found = [key for key in keys if any(_fits(key.path[i:], wanted) for i in range(len(key.path)))]
    if found:
        return found
    ends = (_filled(key.path[-len(wanted) :], wanted) for key in keys)
    near = near_names(name, dict.fromkeys(".".join(end) for end in ends))
    remedy = f"near it: {', '.join(near)}" if near else "`rsis keys` lists all"
    raise UserError(f"params.yaml has no key {name!r}; {remedy}")


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that are near to one, the nearest first."""
    return difflib.get_close_matches(name, list(known), n=4, cutoff=0.7)


@dataclass(frozen=True)
class Place:
    """What stands at a place of a file, as pydantic names it in an error.

    Attributes:
        path: Names of keys, and positions in lists.
        meaning: Of the key there; empty of a name that the user chose, and of an unknown key.
        siblings: The keys that the mapping may have in which the last one stands.
    """

    path: tuple[str | int, ...]
    meaning: str
    siblings: tuple[str, ...]

    @property
    def gist(self) -> str:
        """The meaning without the sources of its numbers, and without the last stop."""
        return re.split(r" (?=(?:Paper|Released code|Ours)\b)", self.meaning)[0].removesuffix(".")


def place_of(model: type[BaseModel], location: Sequence[str | int]) -> Place:
    """Return what stands at the location of a pydantic error, which also names formats and kinds."""
    root = schema_of(model)
    node: Schema = root
    path: list[str | int] = []
    meaning, siblings = "", ()
    for part in location:
        node = _not_null(root, node)
        if "oneOf" in node:
            tags = node["discriminator"]["mapping"]
            if part in tags:
                node = resolve(root, {"$ref": tags[part]})
                continue
        path.append(part)
        siblings = tuple(node.get("properties", ()))
        if part in siblings:
            node = node["properties"][part]
            meaning = node.get("description", "")
        elif node.get("type") == "array":
            node = node["items"] if isinstance(node["items"], dict) else {}
        else:
            more = node.get("additionalProperties")
            node, meaning = more if isinstance(more, dict) else {}, ""
    return Place(tuple(path), meaning, siblings)


def _walk(root: Schema, node: Schema, path: tuple[str, ...], variants: Variants) -> Iterator[tuple[Key, Variants]]:
    """Return the keys below a node, once for each variant that has them."""
    node = _not_null(root, node)
    if "oneOf" in node:
        tag = node["discriminator"]["propertyName"]
        for option in node["oneOf"]:
            variant = resolve(root, option)
            chooses = variant["properties"][tag]
            values = tuple(chooses["enum"]) if "enum" in chooses else (chooses["const"],)
            yield from _walk(root, variant, path, {**variants, tag: values})
    elif isinstance(node.get("additionalProperties"), dict):
        yield from _walk(root, node["additionalProperties"], (*path, path[-1].rstrip("s").upper()), variants)
    for name, field in node.get("properties", {}).items():
        default = None if name in node.get("required", ()) else _value(field.get("default", {}))
        meaning = field.get("description", "")
        if "const" in field:
            meaning = f"{field['const']}: {meaning}"
        yield Key((*path, name), type_text(root, field), default, meaning), variants
        yield from _walk(root, field, (*path, name), variants)


def _merged(found: Sequence[tuple[Key, Variants]]) -> list[Key]:
    """Make one key of those that are the same in several variants, and of the one that chooses between variants."""
    every: dict[str, list[str]] = {}
    for _, variants in found:
        for tag, values in variants.items():
            known = every.setdefault(tag, [])
            known += [value for value in values if value not in known]
    with_variants: dict[Key, list[Variants]] = {}
    for key, variants in found:
        with_variants.setdefault(key, []).append(variants)
    keys: dict[object, Key] = {}
    for key, occurrences in with_variants.items():
        if key.path[-1] in occurrences[0]:  # it chooses
            other = keys.get(key.path)
            keys[key.path] = key if other is None else _joined(other, key)
        else:
            keys[key] = replace(key, only=_only(every, occurrences))
    return list(keys.values())


def _joined(first: Key, second: Key) -> Key:
    return replace(first, type=f"{first.type} | {second.type}", meaning=f"{first.meaning} {second.meaning}")


def _only(every: Mapping[str, list[str]], occurrences: Sequence[Variants]) -> str:
    limits = []
    for tag in occurrences[0]:
        values = list(dict.fromkeys(value for variants in occurrences for value in variants[tag]))
        if len(values) < len(every[tag]):
            limits.append(f"{tag} {', '.join(values)}")
    return "; ".join(limits)


def _together(keys: Sequence[Key]) -> list[Key]:
    """Sort by the mapping that a key stands in, in the order in which these come; the choosing key first."""
    mappings = {key.path[:-1]: number for number, key in reversed(list(enumerate(keys)))}
    return sorted(keys, key=lambda key: (mappings[key.path[:-1]], key.path[-1] not in ("format", "kind")))


def _fits(path: Sequence[str], wanted: Sequence[str]) -> bool:
    """Say whether a path begins with what is wanted; a name may stand for a word in capitals, but not as the first."""
    return len(path) >= len(wanted) and path[0] == wanted[0] and _filled(path[: len(wanted)], wanted) == tuple(wanted)


def _filled(path: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """Put the names of the user's choice into a path."""
    return tuple(name if part.isupper() else part for part, name in zip(path, wanted, strict=False))


def _not_null(root: Schema, node: Schema) -> Schema:
    """Follow a reference, and of "something or null" return the former."""
    node = resolve(root, node)
    options = [option for option in node.get("anyOf", ()) if option.get("type") != "null"]
    return resolve(root, options[0]) if options else node


def _value(default: Any) -> str:
    """Write a default as it would stand in the file; of a mapping all of whose keys have one, {}."""
    if isinstance(default, dict):
        return "{}"
    return default if isinstance(default, str) and default else json.dumps(default)
