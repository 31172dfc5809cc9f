"""The statistics of `rsis check` as lines of text."""

from rsis.tracking.check import DatasetStatistics

_SHOWN = 10  # most faults of one kind that are listed; the others are only counted


def render(statistics: DatasetStatistics) -> list[str]:
    """Return the statistics as lines of text: a table with a column for each split, then the faults."""
    splits = statistics.splits
    rows = [
        ["", *(s.split for s in splits)],
        ["images", *(str(s.images) for s in splits)],
        ["  broken", *(str(len(s.broken)) for s in splits)],
        ["  without objects", *(str(s.without_objects) for s in splits)],
        ["objects", *(str(s.objects) for s in splits)],
        ["  per image, mean", *(f"{s.mean:.2f}" for s in splits)],
        ["  fewest", *(str(s.fewest) for s in splits)],
        ["  most", *(str(s.most) for s in splits)],
        ["size, most frequent", *(_show_size(s.common_size) for s in splits)],
        ["  smallest", *(_show_size(s.smallest_size) for s in splits)],
        ["  largest", *(_show_size(s.largest_size) for s in splits)],
    ]
    classes = list(dict.fromkeys(name for s in splits for name in s.class_counts))
    rows += [[f"class {name}", *(str(s.class_counts.get(name, 0)) for s in splits)] for name in classes]
    widths = [max(len(row[column]) for row in rows) for column in range(len(splits) + 1)]
    lines = [f"{statistics.dataset}: {statistics.root}"]
    for row in rows if splits else []:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    for split in splits:
        lines += _show_some("broken", [f"{split.split}: {message}" for message in split.broken])
    return lines + _show_some("missing", statistics.missing)


def _show_size(size: tuple[int, int] | None) -> str:
    return "-" if size is None else f"{size[0]} x {size[1]}"


def _show_some(what: str, messages: list[str] | tuple[str, ...]) -> list[str]:
    lines = [f"{what}: {message}" for message in messages[:_SHOWN]]
    return lines + ([f"{what}: {len(messages) - _SHOWN} more"] if len(messages) > _SHOWN else [])
