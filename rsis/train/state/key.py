"""The key of a training: a digest of everything that its result depends on.

The folder of a training's state is named by the key, and its checkpoint contains it. Comments and docstrings are not
part of the key, nor are parameters that change no result: correcting a sentence must not retrain a week-long run.
"""

import ast
import hashlib
import io
import tokenize
from pathlib import Path

import rsis
from rsis.config.runs import RunSection
from rsis.files.digests import digest_of

# the code that the stage `train` depends on in dvc.yaml and in the Snakefile
CODE = ("structures.py", "masks.py", "data/prepared", "model", "loss", "train")
WITHOUT_EFFECT = {"workers", "checkpoint_steps"}  # of the section `train`


def run_key(run: RunSection, data_digests: dict[str, str]) -> str:
    """Return the key of a run.

    Args:
        run: Its section of params.yaml.
        data_digests: Digest of each prepared split, by the split's name.
    """
    return digest_of(
        {
            "model": run.model.model_dump(mode="json"),
            "train": run.train.model_dump(mode="json", exclude=WITHOUT_EFFECT),
            "data": data_digests,
            "code": code_digest(Path(rsis.__file__).parent),
        }
    )


def code_digest(package: Path) -> str:
    """Return a digest of the files `CODE` in the folder `package`, without comments and docstrings."""
    digest = hashlib.sha256()
    for part in CODE:
        files = [package / part] if part.endswith(".py") else sorted((package / part).rglob("*.py"))
        for file in files:
            digest.update(file.relative_to(package).as_posix().encode())
            digest.update(bare_code(file.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:16]


def bare_code(source: str) -> str:
    """Return a module's code without comments, docstrings and empty lines; independent of Python's version."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                for statement in node.body:  # also docstrings of attributes, which follow them
                    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                        first, last = statement.lineno - 1, statement.end_lineno or statement.lineno
                        lines[first:last] = [""] * (last - first)
    return "\n".join(line.rstrip() for line in lines if line.strip())
