"""The common base of all figures of a report: one style, one panel, encoded as PNG.

Figures use matplotlib's object interface, the Agg canvas and a fixed style, so the same numbers give the same bytes,
independent of the user's matplotlib settings. Each figure is a small panel that is legible at the width of a
phone, stored as a palette image of about ten kilobytes.
"""

import io
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

BLUE, RED, MARK, INK = "#0072b2", "#d55e00", "#777777", "#222222"
# Colours of runs: those of Okabe and Ito, which can be told apart with the common colour-vision deficiencies; from the
# eighth run on the colours repeat with other dashes.
COLORS = (BLUE, RED, "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#444444")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)))
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MARK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "path.simplify": True,
    "figure.facecolor": "white",
    "text.parse_math": False,  # a dollar sign in the name of a class is a dollar sign
}
# The settings for figures, which replace the user's own while a figure is drawn; the backend is not one of them.
SETTINGS: dict[Any, Any] = {key: value for key, value in mpl.rcParamsDefault.items() if key != "backend"} | STYLE


@dataclass(frozen=True)
class ReportImage:
    """An encoded image of the report.

    Attributes:
        name: File name with its suffix, unique in the report.
        data: PNG or JPEG bytes.
        alt: Text for readers who cannot see it.
        caption: Its caption; may be empty.
        size: (H, W) in pixels.
    """

    name: str
    data: bytes
    alt: str
    caption: str
    size: tuple[int, int]


def smaller(image: ReportImage) -> ReportImage:
    """Return the picture at three quarters of its width and height, with fewer colours: half the bytes, but legible."""
    with Image.open(io.BytesIO(image.data)) as whole:
        size = (3 * whole.width // 4, 3 * whole.height // 4)
        shrunk = whole.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    if image.name.endswith(".png"):
        shrunk.quantize(16, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(file, format="PNG", optimize=True)
    else:
        shrunk.save(file, format="JPEG", quality=60, optimize=True)
    return replace(image, data=file.getvalue(), size=(shrunk.height, shrunk.width))


def panel(title: str, x: str, y: str, height: float = 2.75) -> tuple[Figure, Axes]:
    """Return an empty figure with one panel, as wide as a phone; `height` is in inches of 160 pixels."""
    figure = Figure(figsize=(3.9, height), dpi=160, layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def legend(figure: Figure, columns: int = 3) -> None:
    """Put the legend below the panel."""
    figure.legend(loc="outside lower center", ncols=columns, fontsize=8, columnspacing=1.0, handlelength=1.6)


def run_legend(figure: Figure, count: int) -> None:
    """Put a legend of the runs below the panel, if there are two or more runs."""
    if count > 1:
        legend(figure, 2)


def look(number: int) -> dict[str, Any]:
    """Return colour and dashes of the run with this index, as arguments of matplotlib's `plot`."""
    return {"color": COLORS[number % len(COLORS)], "linestyle": DASHES[number // len(COLORS) % len(DASHES)]}


def picture(figure: Figure, name: str, alt: str, caption: str = "") -> ReportImage:
    """Render a figure as a palette PNG of 128 colours."""
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi="figure", metadata={"Software": None})
    with Image.open(file) as image:
        drawn = image.convert("RGB")
    file = io.BytesIO()
    drawn.quantize(128, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(file, format="PNG", optimize=True)
    return ReportImage(name, file.getvalue(), alt, caption, (drawn.height, drawn.width))
