"""Published results as typed, frozen data; the file `published.yaml` contains them and explains their schema."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from rsis.config.bounded_yaml import read_yaml
from rsis.config.types import Count, Section, Split
from rsis.errors import UserError

PACKAGED = Path(__file__).parents[1] / "published.yaml"

Unit = Literal["fraction", "count", "tau"]
Size = Annotated[tuple[Count, Count], Field(strict=False)]  # YAML has lists only
RANGES: dict[Unit, tuple[float, float]] = {"fraction": (0.0, 1.0), "count": (0.0, float("inf")), "tau": (-1.0, 1.0)}


class Source(Section):
    """The source of numbers: a version of the paper or a secondary source, with its citation."""

    version: Literal["v1", "v4", "secondary"]
    citation: Annotated[str, Field(min_length=1)]


class Benchmark(Section):
    """A benchmark.

    Attributes:
        title: Its name, as printed.
        datasets: The names of its data set in params.yaml.
        paper: Settings of the paper's own run: value by "<section>.<key>" of a run. `model.conv_lstms` is the number
            of hidden widths.
    """

    title: str
    datasets: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    paper: dict[str, str | int | float | bool] = Field(default_factory=dict)


class PublishedRow(Section):
    """The numbers of one method.

    Attributes:
        method: Name of the method.
        values: In the order of the table's columns; None = not reported or not known.
        source: Of this row; None if it is the table's.
        approximate: Whether the source gives rounded numbers only.
        input_size: (H, W); None = not known.
        reference: Whether it is the paper's own row, which our runs are compared with.
        settings: The settings that an ablation varies: encoder, skip, conv_lstms; one that is missing has no effect on
            the row.
        note: Printed in the row's remark.
    """

    method: Annotated[str, Field(min_length=1)]
    values: Annotated[tuple[float | None, ...], Field(strict=False)]
    source: Source | None = None
    approximate: bool = False
    input_size: Size | None = None
    reference: bool = False
    settings: dict[str, str | int] = Field(default_factory=dict)
    note: str | None = None


class PublishedTable(Section):
    """One table of the literature.

    Attributes:
        columns: Unit of each column by scorer key ("cvppp/sbd"), in the order of the rows' values.
        split: The scored split; None if the source does not state it.
        images: The number of scored images; None if the source does not state it.
    """

    title: str
    kind: Literal["results", "ablation", "order", "field"]
    benchmark: str
    split: Split | None
    images: Count | None
    source: Source
    note: str | None = None
    columns: Annotated[dict[str, Unit], Field(min_length=1)]
    rows: Annotated[tuple[PublishedRow, ...], Field(strict=False, min_length=1)]

    @property
    def scorer(self) -> str:
        """The scorer of the columns' keys."""
        return next(iter(self.columns)).partition("/")[0]

    @property
    def reference(self) -> PublishedRow | None:
        """The paper's own row, which our runs are compared with; None without one."""
        return next((row for row in self.rows if row.reference), None)

    def source_of(self, row: PublishedRow) -> Source:
        """Return the row's own source, or the table's."""
        return row.source or self.source

    def values_of(self, row: PublishedRow) -> dict[str, float | None]:
        """Return the row's numbers by scorer key."""
        return dict(zip(self.columns, row.values, strict=True))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key in self.columns:
            scorer, slash, name = key.partition("/")
            if not slash or not name or scorer != self.scorer:
                raise ValueError(f"column {key!r} is not {self.scorer}/<key>; a table has one scorer")
            if key.endswith("_std") and key.removesuffix("_std") not in self.columns:
                raise ValueError(f"column {key!r} is the spread of a column that is missing")
        for row in self.rows:
            if len(row.values) != len(self.columns):
                raise ValueError(f"row {row.method!r} has {len(row.values)} values for {len(self.columns)} columns")
            for (key, value), unit in zip(self.values_of(row).items(), self.columns.values(), strict=True):
                low, high = RANGES[unit]
                if value is not None and not low <= value <= high:
                    raise ValueError(f"row {row.method!r}: {key} is {value}, not a {unit} ({low:g}..{high:g})")
        return self


class Published(Section):
    """The content of published.yaml: benchmarks by id and tables by name."""

    benchmarks: dict[str, Benchmark]
    tables: dict[str, PublishedTable]

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        for name, table in self.tables.items():
            if table.benchmark not in self.benchmarks:
                known = ", ".join(self.benchmarks)
                raise ValueError(f"tables.{name}.benchmark is {table.benchmark!r}; benchmarks has {known}")
        return self


def load_published(path: Path = PACKAGED) -> Published:
    """Read and check a file of published results.

    Args:
        path: The file; by default the one in the package.

    Raises:
        UserError: The file is missing, is not YAML, or does not match the schema; the message lists all faults.
    """
    raw = read_yaml(path)
    try:
        return Published.model_validate(raw)
    except ValidationError as error:
        faults = "; ".join(
            ": ".join(filter(None, [".".join(map(str, fault["loc"])), fault["msg"].removeprefix("Value error, ")]))
            for fault in error.errors()
        )
        raise UserError(f"{path}: {faults}; correct it") from error
