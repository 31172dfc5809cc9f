"""The command that explains the configuration."""

import shutil
import sys
import textwrap
from typing import Annotated

import typer

from rsis.errors import UserError

explanations = typer.Typer()


@explanations.command()
def keys(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A key or the end of its path, such as lr, train.lr or objective."),
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print all as JSON Schema, for editors.")] = False,
) -> None:
    """Explain the keys of params.yaml: type, default, meaning, and where the numbers come from.

    Of NAME or, without it, all of them. "Paper" is Salvador et al. 2017, arXiv:1712.00617v1, "Released code" is its
    authors', "Ours" is neither.
    """
    from rsis.config.keys import list_keys, matching_keys
    from rsis.config.params import Params
    from rsis.config.schema import schema_text

    if schema and name is not None:
        raise UserError("keys: found a NAME and --schema, which prints all; give one of the two")
    if schema:
        typer.echo(schema_text(Params), nl=False)
        return
    found = list_keys(Params)
    for key in found if name is None else matching_keys(found, name):
        only = f" ({key.only})" if key.only else ""
        value = "must be given" if key.default is None else f"default {key.default}"
        typer.echo(f"{key.name}{only}: {key.type}, {value}\n{_indented(key.meaning)}")


def _indented(text: str) -> str:
    """Fold a text to the terminal's width; elsewhere, as for grep, it stays one line."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    return textwrap.fill(text, width, initial_indent="    ", subsequent_indent="    ")
