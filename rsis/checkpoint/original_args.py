"""Read args.pkl of a released checkpoint, an argparse.Namespace pickled by Python 2, without running code from it."""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsis.errors import UserError

OBTAIN = "expected the folder of a released checkpoint, with encoder.pt, decoder.pt and args.pkl; correct the path"
_MAX_BYTES = 2**20  # of args.pkl: real ones have a few thousand


def read_args(path: Path) -> dict[str, Any]:
    """Read the arguments of a training from a pickled argparse.Namespace; no code from the file is run.

    Returns:
        Values by name: None, bool, int, float or str, or lists, tuples and dicts of these.

    Raises:
        UserError: The file is not such a pickle, or contains values of other types.
    """
    content = path.read_bytes()
    if len(content) > _MAX_BYTES:
        raise UserError(f"{path}: has {len(content)} bytes, expected some thousand; {OBTAIN}")
    try:
        found = _ArgsUnpickler(io.BytesIO(content), encoding="latin-1").load()
        args = vars(found) if isinstance(found, _Namespace) else None
        if args is None or not all(isinstance(key, str) for key in args):
            raise UserError(f"{path}: holds a {type(found).__name__}, expected the arguments of a training; {OBTAIN}")
        return {key: _plain(value, path, key) for key, value in args.items()}
    except pickle.UnpicklingError as error:
        raise UserError(f"{path}: refused ({error}); {OBTAIN}") from error
    except (EOFError, ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, MemoryError) as error:
        raise UserError(f"{path}: not a pickle, or damaged ({type(error).__name__}); {OBTAIN}") from error


class _Namespace:
    """Takes the place of argparse.Namespace while a pickle is read."""

    __slots__ = ("__dict__",)


def _new_namespace(kind: Any, base: Any, state: Any) -> _Namespace:
    """Take the place of copy_reg._reconstructor, for the class `_Namespace` only."""
    if kind is not _Namespace or base is not object or state is not None:
        raise pickle.UnpicklingError("it builds something other than the arguments of a training")
    return _Namespace()


class _ArgsUnpickler(pickle.Unpickler):
    """Accepts only the three names that a pickled namespace uses, and maps each to a harmless substitute."""

    _KNOWN: Mapping[tuple[str, str], Any] = {
        ("argparse", "Namespace"): _Namespace,
        ("copy_reg", "_reconstructor"): _new_namespace,
        ("copyreg", "_reconstructor"): _new_namespace,
        ("__builtin__", "object"): object,
        ("builtins", "object"): object,
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return the substitute for a name; pickle calls this before it could call anything of that name."""
        # Python 3 has already replaced Python 2's module names by its own
        if (module, name) not in self._KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, of which the arguments of a training have none")
        return self._KNOWN[module, name]

    def persistent_load(self, pid: Any) -> Any:
        """Raise an error: the arguments of a training refer to no objects outside the file."""
        raise pickle.UnpicklingError("it refers to an object outside of it")


def _plain(value: Any, path: Path, key: str, depth: int = 0) -> Any:
    """Return the value if it is plain, else raise; the depth is limited, since a list may contain itself."""
    if depth < 10:
        if value is None or type(value) in (bool, int, float, str):
            return value
        if type(value) in (list, tuple):
            return type(value)(_plain(item, path, key, depth + 1) for item in value)
        if type(value) is dict:
            return {str(name): _plain(item, path, key, depth + 1) for name, item in value.items()}
    kind = type(value).__name__
    raise UserError(f"{path}: {key} holds a {kind}, expected numbers, text, or lists of these; {OBTAIN}")


def argument(args: Mapping[str, Any], key: str, path: Path, kind: type) -> Any:
    """Return the argument `key` of the args.pkl at `path`.

    Raises:
        UserError: It is missing or not of type `kind`.
    """
    value = args.get(key)
    if type(value) is not kind:
        raise UserError(f"{path}: {key} is {value!r}, expected a value of type {kind.__name__}; {OBTAIN}")
    return value
