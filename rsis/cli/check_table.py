"""The statistics of `rsis check` as a table, and the faults as lines of text."""

from rsis.tracking.account import table_of as account_table
from rsis.tracking.check import DatasetStatistics

_SHOWN = 10  # most faults of one kind that are listed; the others are only counted


def table_of(statistics: DatasetStatistics) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the rows of a table with a column for each split."""
    splits = statistics.splits
    rows = [
        ["images without objects", *(str(s.without_objects) for s in splits)],
        ["objects per image, mean", *(f"{s.mean:.2f}" for s in splits)],
        ["  fewest", *(str(s.fewest) for s in splits)],
        ["  most", *(str(s.most) for s in splits)],
        ["size, most frequent", *(_show_size(s.common_size) for s in splits)],
        ["  smallest", *(_show_size(s.smallest_size) for s in splits)],
        ["  largest", *(_show_size(s.largest_size) for s in splits)],
    ]
    classes = dict.fromkeys(name for s in splits for name in s.class_counts)
    rows += [[f"class {name}", *(str(s.class_counts.get(name, 0)) for s in splits)] for name in classes]
    heading, used = account_table([s.account for s in splits])
    return heading, [*used, *rows]


def faults_of(statistics: DatasetStatistics) -> list[str]:
    """Return a line for each of the first broken images and missing files, and one that counts the others."""
    lines = []
    for split in statistics.splits:
        lines += _show_some("broken", [f"{split.split}: {message}" for message in split.broken])
    return lines + _show_some("missing", statistics.missing)


def _show_size(size: tuple[int, int] | None) -> str:
    return "-" if size is None else f"{size[0]} x {size[1]}"


def _show_some(what: str, messages: list[str] | tuple[str, ...]) -> list[str]:
    lines = [f"{what}: {message}" for message in messages[:_SHOWN]]
    return lines + ([f"{what}: {len(messages) - _SHOWN} more"] if len(messages) > _SHOWN else [])
