"""What is wrong with params.yaml, in one line: the path of the key, what was found, what is allowed, what it means."""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel

from rsis.config.keys import Place, near_names, place_of

_NAMED = 10  # faults that are named
_WITHOUT_MEANING = ("extra_forbidden", "value_error")  # unknown keys have none, and our own messages say it all


def explain(model: type[BaseModel], faults: Sequence[Any]) -> str:
    """Return one line about faults; what a key means is said once, however many runs share its value.

    Args:
        model: What the file was checked by.
        faults: The errors that pydantic found.
    """
    parts, explained = [], set()
    for fault in faults[:_NAMED]:
        place = place_of(model, [part for part in fault["loc"] if part != "[key]"])  # of a name, not of what it names
        part = _wrong(fault, place)
        if fault["type"] not in _WITHOUT_MEANING and place.meaning and place.meaning not in explained:
            part += f" ({_shown(place.gist, str, longest=200)})"
            explained.add(place.meaning)
        parts.append(part)
    if len(faults) > _NAMED:
        parts.append(f"and {len(faults) - _NAMED} faults more")
    return "; ".join(parts)


def _wrong(fault: Any, place: Place) -> str:
    path = ".".join(_shown(part, str) for part in place.path)
    message = _shown(fault["msg"].removeprefix("Value error, "), str, longest=400)
    found = _shown(_lists(fault["input"]), repr)
    context = fault.get("ctx", {})
    tag = str(context.get("discriminator", "")).strip("'")  # the key that chooses between variants
    match fault["type"]:
        case "extra_forbidden":
            near = near_names(_shown(place.path[-1], str), place.siblings)
            perhaps = f": {' or '.join(near)}?" if near else ""
            return f"{path}: unknown key; remove it or correct its spelling{perhaps}"
        case "missing":
            return f"{path}: missing; add it"
        case "value_error":
            return f"{path}: {message}" if path else message
        case "union_tag_not_found" if isinstance(fault["input"], dict):
            return f"{path}.{tag}: missing; add it"
        case "union_tag_invalid":
            return f"{path}.{tag}: found {_shown(context['tag'], repr)}; expected one of {context['expected_tags']}"
        case "dict_type" | "model_type" | "model_attributes_type":
            return f"{path or 'the file'}: found {found}; input should be a mapping"
        case _:
            return f"{path}: found {found}; {_of_yaml(message)}"


def _lists(value: Any) -> Any:
    """Return a value as it stood in the file, where pydantic was given tuples."""
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, tuple) else value


def _of_yaml(message: str) -> str:
    """Speak of lists, where pydantic has tuples."""
    return (message[0].lower() + message[1:]).replace("tuple", "list").replace(" after validation", "")


def _shown(value: Any, as_text: Callable[[Any], str], longest: int = 80) -> str:
    """Return what a message says of a value: one line, not too long."""
    try:
        text = as_text(value)
    except ValueError:  # Python refuses to write a number of thousands of digits
        return "a number of thousands of digits"
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
