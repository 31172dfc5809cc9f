"""Files of two folders that have the same name."""

from collections.abc import Callable, Iterable
from pathlib import Path
from unicodedata import normalize

from rsis.errors import UserError


def by_id(pairs: Iterable[tuple[str, Path]], folder: Path) -> dict[str, tuple[str, Path]]:
    """Return ids and paths by the ids in one Unicode form, since systems write accents in different forms.

    Raises:
        UserError: Two files of the folder have one id.
    """
    found: dict[str, tuple[str, Path]] = {}
    for name, path in pairs:
        before = found.setdefault(normalize("NFC", name), (name, path))
        if before[1] != path:
            raise UserError(f"{folder}: has {before[1].name} and {path.name}, expected one of a name; remove one")
    return found


def in_both(
    some: dict[str, tuple[str, Path]],
    others: dict[str, tuple[str, Path]],
    kind: str,
    other: str,
    on_lost: Callable[[Path, str], None],
) -> set[str]:
    """Return the ids that two kinds of files both have.

    Args:
        some: Files by id, see `by_id`.
        others: Those of the other kind.
        kind: Name of the first kind.
        other: Name of the other kind.
        on_lost: Called with the path and a message for each file without a partner.
    """
    for key in sorted(some.keys() ^ others.keys()):
        unpaired, lacking = (some[key][1], other) if key in some else (others[key][1], kind)
        on_lost(unpaired, f"{unpaired}: has no {lacking} of that name; add it, or take the file out of the folder")
    return some.keys() & others.keys()
