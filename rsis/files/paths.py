"""The path of each stage's output, relative to the folder of params.yaml."""

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
# Its existence tells DVC that `rsis check --all` has shown its table; a failed download removes it.
SOURCES_NOTE = STATE / "sources.txt"


def output_beside(folder: Path) -> Path | None:
    """Return the first of `OUTPUTS` that overlaps with a user's folder; None when there is none.

    Two folders overlap when they are the same or one contains the other.

    Args:
        folder: Absolute, or relative to the working folder; need not exist.
    """
    where = Path(os.path.realpath(folder))
    for output in OUTPUTS:
        output_folder = Path(os.path.realpath(output))
        if where.is_relative_to(output_folder) or output_folder.is_relative_to(where):
            return output
    return None


def raw_folder(dataset: str) -> Path:
    """Return the folder of a data set's manifest, and of its raw files unless these lie in a user's folder."""
    return Path("data/raw") / dataset


def processed_folder(dataset: str) -> Path:
    """Return the folder of a data set's prepared files, one for each split."""
    return Path("data/processed") / dataset


def model_file(run: str) -> Path:
    """Return the path of a run's checkpoint."""
    return Path("models") / f"{run}.safetensors"


def history_folder(run: str) -> Path:
    """Return the folder of a run's training curves and of the record of its training inputs."""
    return Path("history") / run


def predictions_file(run: str) -> Path:
    """Return the path of a run's prediction file."""
    return Path("predictions") / f"{run}.json"


def metrics_file(run: str) -> Path:
    """Return the path of a run's metrics file."""
    return Path("metrics") / f"{run}.json"


def scores_folder(run: str) -> Path:
    """Return the folder of the tables behind a run's metrics."""
    return Path("scores") / run


def split_metrics_file(name: str) -> Path:
    """Return the path of the metrics of a split other than the run's own.

    The file is not in `metrics/`, since DVC compares all files there.

    Args:
        name: "RUN-SPLIT".
    """
    return Path("scores") / f"{name}.json"


def analysis_folder(run: str) -> Path:
    """Return the folder of a run's order analysis."""
    return Path("analysis") / run


def submission_folder(run: str) -> Path:
    """Return the folder of a run's submission to the organisers of its benchmark."""
    return Path("submissions") / run


def lock_file(stage: str, name: str) -> Path:
    """Return the path of the lock file of a stage and its data set or run."""
    return STATE / "locks" / f"{stage}-{name}.lock"
