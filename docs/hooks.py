"""The page of the command line, written from the commands themselves whenever the documentation is built."""

import typer.cli
import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from rsis.cli import app


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add command-line.md."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="rsis")
    text = typer.cli.get_docs_for_click(obj=command, ctx=context, name="rsis", title="Command line")
    codes = (
        "\nExit codes: 0 done; 2 something you can put right, said in one line; 75 stopped from outside and ready to "
        "go on; 130 interrupted.\n"
    )
    files.append(File.generated(config, "command-line.md", content=text + codes))
    return files
