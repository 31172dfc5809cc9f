"""Pages that are generated when the documentation is built: the command line, and the keys of params.yaml."""

from pathlib import Path

import typer.cli
import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from rsis.cli.main import app


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add command-line.md, generated from the commands, and keys.md, generated from the end of params.yaml."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="rsis")
    text = typer.cli.get_docs_for_click(obj=command, ctx=context, name="rsis", title="Command line")
    codes = (
        "\nExit codes: 0 done; 2 an error that you can correct, explained in one line; 75 stopped by a signal and "
        "ready to be resumed; 130 interrupted.\n"
    )
    files.append(File.generated(config, "command-line.md", content=text + codes))
    files.append(File.generated(config, "keys.md", content=keys_page()))
    return files


def keys_page() -> str:
    """Return a page with the list of all keys at the end of params.yaml."""
    file = (Path(__file__).parents[1] / "params.yaml").read_text(encoding="utf-8")
    comment = file[file.index("# All keys of a data set") :]
    text = "".join(line.removeprefix("#").removeprefix(" ") for line in comment.splitlines(keepends=True))
    head = (
        "Sizes are [height, width] in pixels, fractions 0..1, angles degrees, epochs count from 0. "
        '"paper" is Salvador et al. 2017, "code" its authors\' released code, "ours" neither of them.'
    )
    return f"# All keys of params.yaml\n\n{head}\n\n```text\n{text}```\n"
