"""Arguments and options that are common to more than one command."""

from pathlib import Path
from typing import Annotated, Literal

import typer

ParamsFile = Annotated[Path, typer.Option("--params", help="The configuration file.")]
DatasetName = Annotated[str, typer.Argument(metavar="DATASET", help="A name under `datasets` in params.yaml.")]
DatasetNames = Annotated[
    list[str] | None, typer.Argument(metavar="DATASET...", help="Names under `datasets` in params.yaml.")
]
EveryDataset = Annotated[
    bool, typer.Option("--all", help="Print a line for each data set of `default`; no picture is read.")
]
NoteFile = Annotated[
    Path | None, typer.Option("--note", help="With --all, for DVC: a file to write after the table was printed.")
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A name under `runs` in params.yaml.")]
Checkpoint = Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A trained network, *.safetensors.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a file even if rsis did not write it.")]
MaxPixels = Annotated[
    int | None, typer.Option(min=1, help="Most pixels of a picture that is read. \\[default: 178956970]")
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes to use. \\[default: as many as pay, at most the cores]")
]
Split = Literal["train", "val", "test"]  # as in rsis.config.types, which imports pydantic and so is slow to import
SplitOption = Annotated[
    Split | None,
    typer.Option(
        "--split",
        help="Split of the data set; files of a split other than the run's own are named RUN-SPLIT. "
        "\\[default: its own]",
    ),
]
DEFAULT_PARAMS = Path("params.yaml")
