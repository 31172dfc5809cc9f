"""Where each stage puts what it makes, relative to the folder that holds params.yaml."""

import os
from pathlib import Path

# all folders that the stages write into
OUTPUTS = tuple(
    map(Path, ("data/raw", "data/processed", "models", "history", "predictions", "metrics", "scores", "reports",
               "analysis", "submissions", "state", "logs"))
)  # fmt: skip
REPORTS = Path("reports")
REFERENCE = REPORTS / "reference"
STATE = Path("state")
# Says to DVC that the table of `rsis check --all` was shown; a download that fails removes it.
SOURCES_NOTE = STATE / "sources.txt"


def output_beside(folder: Path) -> Path | None:
    """Return the first of `OUTPUTS` that a folder of the user's lies in, is, or contains; None if it is clear of all.

    Args:
        folder: Absolute, or relative to the working folder; need not exist.
    """
    where = Path(os.path.realpath(folder))
    for output in OUTPUTS:
        taken = Path(os.path.realpath(output))
        if where.is_relative_to(taken) or taken.is_relative_to(where):
            return output
    return None


def raw_folder(dataset: str) -> Path:
    """Return the folder of a data set's manifest and, unless it is the user's, of its raw files."""
    return Path("data/raw") / dataset


def processed_folder(dataset: str) -> Path:
    """Return the folder of a data set's prepared files, one a split."""
    return Path("data/processed") / dataset


def model_file(run: str) -> Path:
    """Return a run's checkpoint."""
    return Path("models") / f"{run}.safetensors"


def history_folder(run: str) -> Path:
    """Return the folder of a run's curves and of what it was trained from."""
    return Path("history") / run


def predictions_file(run: str) -> Path:
    """Return a run's prediction file."""
    return Path("predictions") / f"{run}.json"


def metrics_file(run: str) -> Path:
    """Return the file of a run's figures."""
    return Path("metrics") / f"{run}.json"


def scores_folder(run: str) -> Path:
    """Return the folder of the tables behind a run's figures."""
    return Path("scores") / run


def split_metrics_file(name: str) -> Path:
    """Return the file of the figures of another split than a run's own; out of `metrics/`, which DVC compares."""
    return Path("scores") / f"{name}.json"


def analysis_folder(run: str) -> Path:
    """Return the folder of a run's order analysis."""
    return Path("analysis") / run


def submission_folder(run: str) -> Path:
    """Return the folder of what a benchmark's organisers take."""
    return Path("submissions") / run


def lock_file(stage: str, name: str) -> Path:
    """Return the lock of a stage of a data set or run."""
    return STATE / "locks" / f"{stage}-{name}.lock"
