r"""The metrics of a training as files that DVC can plot: a table for each metric, and the latest value of each.

    plots/metrics/train/total.tsv    "step\ttotal\n0\t1.25\n1\t0.75\n", a row for each epoch that has the metric
    metrics.json                     {"train": {"total": 0.75}, "step": 1}; the step is the last epoch

The files equal, byte for byte, those of DVC's own logger DVCLive. DVCLive itself is not used: it would make the whole
of DVC a requirement of training.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class FigureFiles:
    """Writes the files, one epoch after another.

    Args:
        folder: The folder to write to; it must not contain such files yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._latest: dict[str, Any] = {}

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Append a row to the table of each metric, and replace the latest values.

        Args:
            step: The epoch, from 0.
            figures: Value of each metric by name, such as "train/total"; finite.
        """
        for name, value in figures.items():
            path = self.folder / "plots" / "metrics" / f"{name}.tsv"
            path.parent.mkdir(parents=True, exist_ok=True)
            heading = "" if path.exists() else f"step\t{path.stem}\n"
            with path.open("a", encoding="utf-8", newline="") as file:
                file.write(f"{heading}{step}\t{value}\n")
            *groups, last = name.split("/")
            place = self._latest
            for group in groups:
                place = place.setdefault(group, {})
            place[last] = value
        self._latest["step"] = step
        text = json.dumps(self._latest, indent=4) + "\n"
        (self.folder / "metrics.json").write_text(text, encoding="utf-8", newline="")
