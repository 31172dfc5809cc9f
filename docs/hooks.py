"""Pages that are generated when the documentation is built: the command line, and the keys of params.yaml."""

import typer.cli
import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from rsis.cli.main import app
from rsis.config.keys import list_keys
from rsis.config.params import Params

_KEYS_HEAD = """\
Words in capitals are names of your choice. `rsis keys NAME` prints the same of one key, and editors with a YAML
language server show it from `params.schema.json`. Sizes are [height, width] in pixels, fractions 0 to 1, epochs count
from 0. "Paper" is Salvador et al. 2017, arXiv:1712.00617v1, "Released code" is its authors', "Ours" is neither."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add command-line.md, from the commands themselves, and keys.md, from the models of params.yaml."""
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
    """Return all keys, a table for each mapping of the file."""
    lines = ["# All keys of params.yaml", "", _KEYS_HEAD]
    mapping = None
    for key in list_keys(Params):
        if key.path[:-1] != mapping:
            mapping = key.path[:-1]
            lines += ["", f"## {'.'.join(mapping) or 'The file'}", "", "| key | value | default | meaning |"]
            lines.append("|---|---|---|---|")
        name = f"`{key.path[-1]}`" + (f" ({key.only})" if key.only else "")
        default = "must be given" if key.default is None else f"`{key.default}`"
        lines.append(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in (name, key.type, default, key.meaning)) + " |"
        )
    return "\n".join(lines) + "\n"
