"""Render a report with the Jinja templates of `templates/`; pictures are embedded in the HTML."""

import base64
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rsis.report.figures.panel import ReportImage
from rsis.report.page import RunPage
from rsis.report.tables.rows import Comparison, ComparisonRow, format_cell, format_gap
from rsis.report.words import MEANINGS


def render(template: str, context: Mapping[str, object]) -> str:
    """Return a rendered template; values in HTML are escaped, and a name that the context lacks raises an error.

    Args:
        template: "report.md" or "report.html".
        context: The values of the template's names, see `rsis.report.run`.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=template.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"embed": _embed, "link": quote, "cell": _markdown_cell}
    tools = {"format_cell": format_cell, "format_gap": format_gap, "groups": _groups, "which_images": _which_images}
    return environment.get_template(template).render(**context, **tools)


def _groups(comparison: Comparison) -> dict[str, list[ComparisonRow]]:
    """Return the rows of a comparison by their group, in order; all of them under "" if it is not grouped."""
    if not comparison.grouped:
        return {"": list(comparison.rows)}
    groups: dict[str, list[ComparisonRow]] = {}
    for row in comparison.rows:
        groups.setdefault(row.group, []).append(row)
    return groups


def _which_images(page: RunPage) -> str:
    """Return how the images of a page's gallery were chosen."""
    names = Counter(item.place.name for item in page.gallery)
    meaning = f" ({MEANINGS[page.ordered_by]})"
    if "" in names or not names:
        return f"All {page.num_images} images, the best first by {page.ordered_by}{meaning}."
    groups = [f"the {name}" if count == 1 else f"the {count} {name}" for name, count in names.items()]
    shown = f"{', '.join(groups[:-1])} and {groups[-1]}" if len(groups) > 1 else groups[0]
    return f"Of {page.num_images} images: {shown} by {page.ordered_by}{meaning}."


def _embed(picture: ReportImage) -> Markup:
    """Return an <img> element with the picture's data as a data URL."""
    kind = "jpeg" if picture.name.endswith(".jpg") else "png"
    data = base64.b64encode(picture.data).decode("ascii")
    height, width = picture.size
    image = Markup('<img src="data:image/{};base64,{}" width="{}" height="{}" alt="{}">')
    return image.format(kind, data, width, height, picture.alt)


def _markdown_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
