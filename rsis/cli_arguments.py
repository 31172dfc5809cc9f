"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

ParamsFile = Annotated[Path, typer.Option("--params", help="The configuration file.")]
DatasetName = Annotated[str, typer.Argument(metavar="DATASET", help="A name under `datasets` in params.yaml.")]
DatasetNames = Annotated[
    list[str] | None, typer.Argument(metavar="DATASET...", help="Names under `datasets` in params.yaml.")
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A name under `runs` in params.yaml.")]
Checkpoint = Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A trained network, *.safetensors.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes to use. \\[default: all cores]")]
DEFAULT_PARAMS = Path("params.yaml")
