"""The outputs of a training that must not depend on interruptions."""

from pathlib import Path


def outputs(folder: Path, run: str = "demo") -> dict[str, bytes]:
    """Return the bytes of a run's checkpoint and curves, by their path in the project's folder."""
    files = [folder / f"models/{run}.safetensors", *sorted((folder / "history" / run / "plots").rglob("*.tsv"))]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def curves(folder: Path, run: str) -> dict[str, list[float]]:
    """Return the curves of a run by name, such as "train/total", each with a value per epoch."""
    found = {}
    for path in sorted((folder / "history" / run / "plots/metrics").rglob("*.tsv")):
        rows = path.read_text().splitlines()[1:]
        found[f"{path.parent.name}/{path.stem}"] = [float(row.split()[1]) for row in rows]
    return found
