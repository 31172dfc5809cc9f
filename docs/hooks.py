"""Pages that are written whenever the documentation is built: the command line's, the keys of params.yaml."""

from pathlib import Path

import typer.cli
import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from rsis.cli.main import app


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add command-line.md, from the commands themselves, and keys.md, from the end of params.yaml."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="rsis")
    text = typer.cli.get_docs_for_click(obj=command, ctx=context, name="rsis", title="Command line")
    codes = (
        "\nExit codes: 0 done; 2 something you can put right, said in one line; 75 stopped from outside and ready to "
        "go on; 130 interrupted.\n"
    )
    files.append(File.generated(config, "command-line.md", content=text + codes))
    files.append(File.generated(config, "keys.md", content=keys_page()))
    return files


def keys_page() -> str:
    """Return the list of all keys that ends params.yaml, as a page."""
    file = (Path(__file__).parents[1] / "params.yaml").read_text(encoding="utf-8")
    comment = file[file.index("# All keys of a data set") :]
    text = "".join(line.removeprefix("#").removeprefix(" ") for line in comment.splitlines(keepends=True))
    head = (
        "Sizes are [height, width] in pixels, fractions 0..1, angles degrees, epochs count from 0. "
        '"paper" is Salvador et al. 2017, "code" its authors\' released code, "ours" neither of them.'
    )
    return f"# All keys of params.yaml\n\n{head}\n\n```text\n{text}```\n"
