"""The paper's ablation table (v1, table 5), with our runs beside the rows of their models."""

from collections.abc import Sequence
from dataclasses import replace

from rsis.report.tables.comparison import AS_ABOVE, beside_published, columns_of, published_row, with_means
from rsis.report.tables.protocol import PAPERS_NETWORK, ScoredRun, is_own_data
from rsis.report.tables.published import Published, PublishedRow, PublishedTable
from rsis.report.tables.rows import Comparison, ComparisonRow

HEADINGS = {"encoder": "Encoder", "skip": "Skip", "conv_lstms": "ConvLSTMs"}
ENCODERS = {
    "vgg16": "VGG16",
    "resnet18": "ResNet-18",
    "resnet34": "ResNet-34",
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
}
Settings = dict[str, str | int]


def ablations(runs: Sequence[ScoredRun], published: Published) -> tuple[Comparison, ...]:
    """Return each published ablation table that has a row for one of the runs, or if the runs have different models.

    They are of the paper's network alone. A run belongs to the row of its backbone, skip mode and number of ConvLSTMs.
    Runs without such a row stand at the end, without a difference; so do, beside their row, runs on other data or
    another split.
    """
    found = []
    for table in published.tables.values():
        judged = [
            run
            for run in runs
            if table.scorer in run.scorers
            and run.network == PAPERS_NETWORK
            and not is_own_data(run, published.benchmarks.values())
        ]
        known = any(_matches(row, run) for row in table.rows for run in judged)
        models_differ = len({tuple(_settings(run).values()) for run in judged}) > 1
        if table.kind == "ablation" and (known or models_differ):
            found.append(_ablation(table, judged, published))
    return tuple(found)


def _ablation(table: PublishedTable, runs: Sequence[ScoredRun], published: Published) -> Comparison:
    rows: list[ComparisonRow] = []
    for row in table.rows:
        rows.append(replace(published_row(table, row, published), settings=_texts(row.settings)))
        matched = [run for run in runs if _matches(row, run)]
        rows += with_means(matched, [_our_row(run, table, row, published) for run in matched])
    others = [run for run in runs if not any(_matches(row, run) for row in table.rows)]
    rows += with_means(others, [_our_row(run, table, None, published) for run in others])
    notes = [AS_ABOVE, *([table.note] if table.note else [])]
    notes.append(f"{table.source.version}: {table.source.citation}.")
    benchmark = published.benchmarks[table.benchmark].title
    headings, columns = tuple(HEADINGS.values()), columns_of(dict(table.columns))
    return Comparison(table.scorer, benchmark, table.title, columns, tuple(rows), tuple(notes), headings, False)


def _our_row(run: ScoredRun, table: PublishedTable, row: PublishedRow | None, published: Published) -> ComparisonRow:
    ours = beside_published(run, table, row, published)
    remark = ours.remark if row is not None else f"no such row in the paper; {ours.remark}"
    return replace(ours, remark=remark, settings=_texts(_settings(run)))


def _settings(run: ScoredRun) -> Settings:
    model = run.run_config.model
    return {"encoder": model.backbone, "skip": model.skip_mode, "conv_lstms": len(model.hidden_widths or ())}


def _matches(row: PublishedRow, run: ScoredRun) -> bool:
    return all(_settings(run).get(key) == value for key, value in row.settings.items())


def _texts(settings: Settings) -> tuple[str, ...]:
    texts = {key: str(value) for key, value in settings.items()}
    texts["encoder"] = ENCODERS.get(texts.get("encoder", ""), texts.get("encoder", "-"))
    return tuple(texts.get(key, "-") for key in HEADINGS)
