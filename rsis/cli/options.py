"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

ParamsFile = Annotated[Path, typer.Option("--params", help="The configuration file.")]
DatasetName = Annotated[str, typer.Argument(metavar="DATASET", help="A name under `datasets` in params.yaml.")]
DatasetNames = Annotated[
    list[str] | None, typer.Argument(metavar="DATASET...", help="Names under `datasets` in params.yaml.")
]
EveryDataset = Annotated[
    bool, typer.Option("--all", help="A line for each data set of `default`, without reading a picture.")
]
NoteFile = Annotated[
    Path | None, typer.Option("--note", help="With --all, for DVC: a file to write when the table was shown.")
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A name under `runs` in params.yaml.")]
Checkpoint = Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A trained network, *.safetensors.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that rsis did not write.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes to use. \\[default: all cores]")]
Split = Literal["train", "val", "test"]  # that of rsis.config.types, without waiting for pydantic
SplitOption = Annotated[
    Split | None,
    typer.Option(
        "--split", help="Of the data set; another than the run's own has files RUN-SPLIT. \\[default: its own]"
    ),
]
DEFAULT_PARAMS = Path("params.yaml")
