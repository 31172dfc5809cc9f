"""The commands that need a checkpoint but no params.yaml: prediction, information, import, export, web page."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rsis.cli.options import Checkpoint, Force, MaxPixels
from rsis.errors import UserError
from rsis.files import paths
from rsis.machine.allocator import keep_freed_memory
from rsis.machine.extras import require

if TYPE_CHECKING:
    from rsis.tool.image_files import Written
    from rsis.tool.outputs import What

tool = typer.Typer()
Format = Literal["onnx", "torchscript"]


@tool.command("predict-images")
def predict_images(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGES...", help="Files, folders, patterns.")],
    checkpoint: Annotated[str, typer.Option(metavar="C", help="The trained network: a file, or its address.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace existing results.")] = False,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="coco, yolo, labelme, png, tiff, imagej or geojson; may be repeated. \\[default: coco and png]",
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Distance in pixels up to which points of outlines are left out, for formats with polygons; 0 keeps "
            "every pixel. \\[default: 0.5]",
        ),
    ] = None,
    animate: Annotated[
        bool, typer.Option("--animate", help="Write a GIF in which the objects appear one by one.")
    ] = False,
    steps: Annotated[
        int | None, typer.Option(min=1, max=1000, help="T, the most objects a picture or tile can have.")
    ] = None,
    mask_threshold: Annotated[
        float | None, typer.Option(help="A pixel belongs to a mask above this probability, 0..1.")
    ] = None,
    objectness_threshold: Annotated[
        float | None, typer.Option(help="The sequence ends at the first step with a lower objectness, 0..1.")
    ] = None,
    min_area: Annotated[
        float | None, typer.Option(help="A mask must cover more than this fraction of the picture, 0..1.")
    ] = None,
    tile: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="H W", help="Cut pictures into tiles of this size in pixels, for more objects than T."),
    ] = None,
    overlap: Annotated[
        float, typer.Option(help="Least fraction of a tile's side that it has in common with the next tile.")
    ] = 0.25,
    full_size: Annotated[
        bool,
        typer.Option("--full-size", help="Do not resize pictures, or tiles, to the size of the training."),
    ] = False,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Pictures, or tiles of one, in a batch.")] = None,
    max_pixels: MaxPixels = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1. \\[default: a GPU if there is one]")] = None,
) -> None:
    """Find the objects in any pictures.

    Writes numbered overlays, tables of counts, areas and classes, and the objects in formats of annotation tools.
    Options that are not given have the values of the checkpoint's run. Files that cannot be read are listed and left
    out.
    """
    from rsis.machine.pixels import allow_pixels
    from rsis.tool.image_files import write_results
    from rsis.tool.predictor import RSIS
    from rsis.tool.tiles import Tiling

    if max_pixels is not None:
        allow_pixels(max_pixels)
    keep_freed_memory()
    written = write_results(
        RSIS.from_checkpoint(checkpoint, device=device),
        images,
        out,
        force=force,
        what=_what(formats, tolerance, animate=animate),
        tiling=None if tile is None else Tiling(tile, overlap),
        full_size=full_size,
        progress=sys.stderr.isatty(),
        num_steps=steps,
        mask_threshold=mask_threshold,
        objectness_threshold=objectness_threshold,
        min_area=min_area,
        batch_size=batch_size,
    )
    _echo_written(written, out)


def _what(formats: list[str] | None, tolerance: float | None, *, animate: bool) -> "What":
    """Return what to write of each picture, by the options."""
    from rsis.tool.formats.documents import TOLERANCE
    from rsis.tool.formats.write import known_format
    from rsis.tool.outputs import DEFAULT_FORMATS, What

    return What(
        formats=tuple(dict.fromkeys(map(known_format, formats))) if formats else DEFAULT_FORMATS,
        tolerance=TOLERANCE if tolerance is None else tolerance,
        animate=animate,
    )


def _echo_written(written: "Written", out: Path) -> None:
    """Print what was found and what was skipped."""
    for line in written.skipped:
        typer.echo(f"skipped {line}", err=True)
    for line in written.notes:
        typer.echo(f"note: {line}", err=True)
    left_out = f", {len(written.skipped)} skipped" if written.skipped else ""
    typer.echo(f"{written.images} images, {written.objects} objects{left_out}: {out}")


@tool.command()
def info(
    checkpoint: Checkpoint,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the description of a checkpoint: architecture, classes, preprocessing, training, metrics, version."""
    from rsis.checkpoint.info import read_info

    found = asdict(read_info(checkpoint))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for key, value in found.items():
        if isinstance(value, dict):
            typer.echo(f"{key}:")
            for name, item in value.items():
                typer.echo(f"  {name}: {json.dumps(item)}")
        else:
            plain = isinstance(value, str) and value.isprintable()
            typer.echo(f"{key}: {value if plain else json.dumps(value)}")


@tool.command("import-original")
def import_original(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with encoder.pt, decoder.pt and args.pkl.")],
    out: Annotated[Path | None, typer.Option(help="The file to write. \\[default: models/DIR.safetensors]")] = None,
    force: Force = False,
) -> None:
    """Convert a checkpoint released by the paper's authors to a checkpoint of this program, with the same outputs.

    Reads files of PyTorch 0.2 and later, without running code from them. The optimisers' files are not needed.
    """
    from rsis.checkpoint.file import save_checkpoint
    from rsis.checkpoint.original import import_original as run_import
    from rsis.files.ownership import check_file

    if out is not None:
        check_file(out, "checkpoint", force=force)
    network, info = run_import(folder)
    target = out or paths.model_file(info.run)
    if out is None and target.exists():
        raise UserError(f"{target}: is there already; name another file with --out")
    save_checkpoint(target, network, info)
    typer.echo(f"{info.dataset}, {len(info.class_names)} classes: {target}")


@tool.command()
def export(
    checkpoint: Checkpoint,
    kind: Annotated[Format, typer.Option("--format", help="onnx, or torchscript, which torch calls deprecated.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write.")],
    steps: Annotated[int | None, typer.Option(min=1, help="T. \\[default: that of the checkpoint's run]")] = None,
    force: Force = False,
) -> None:
    """Export a network for another runtime, for any batch and image size, and check that its outputs agree."""
    from rsis.checkpoint.export import export as run_export
    from rsis.files.ownership import check_file

    check_file(out, "export", force=force)
    written = run_export(checkpoint, out, kind, steps)
    typer.echo(f"{written.path}: {written.steps} steps, outputs agree to {written.difference:.1e}")


@tool.command("demo-app")
def demo_app(
    checkpoint: Annotated[
        str | None,
        typer.Argument(
            metavar="[CHECKPOINT]",
            help="A trained network: a file, or its address; or a folder of them, to choose on the page. "
            "\\[default: models]",
            show_default=False,
        ),
    ] = None,
    examples: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Pictures to click on. \\[default: of the network's test split, or examples/nuclei]"
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 7860,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the page in the browser.")] = False,
    max_pixels: MaxPixels = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1. \\[default: a GPU if there is one]")] = None,
) -> None:
    """Open a local web page: load pictures, watch objects appear in order, change thresholds, download results.

    It runs on this machine until Ctrl-C; no picture leaves the machine.
    """
    require("demo-app", "gradio", "starlette")
    from rsis.machine.pixels import allow_pixels
    from rsis.tool.app.models import Models, found_in
    from rsis.tool.app.server import serve

    if max_pixels is not None:
        allow_pixels(max_pixels)
    folder = paths.model_file("").parent if checkpoint is None else Path(checkpoint)
    here = checkpoint is None or folder.is_dir()
    models = Models(found_in(folder) if here else [str(checkpoint)], device)
    serve(models, host, port, browser=not no_browser, examples=examples)
