"""The recipes of the images, read and not built: what they copy is there, and both do the same."""

import re
from pathlib import Path

import yaml
from support.reference_data import REPOSITORY

FOLDER = REPOSITORY / "workflow/containers"
BASE = "python:3.11-slim"


def dockerfile() -> dict[str, list[str]]:
    """Return the arguments of each instruction of the Dockerfile, in order."""
    found: dict[str, list[str]] = {}
    for line in (FOLDER / "Dockerfile").read_text().splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            found.setdefault(word, []).append(rest)
    return found


def definition() -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the header of the Apptainer definition, and the lines of each section."""
    header, *sections = re.split(r"^%", (FOLDER / "rsis.def").read_text(), flags=re.MULTILINE)
    lines = [line for line in header.splitlines() if line and not line.startswith("#")]
    found = {}
    for section in sections:
        name, _, body = section.partition("\n")
        found[name] = [line.strip() for line in body.splitlines() if line.strip()]
    return dict(line.split(": ") for line in lines), found


def test_both_recipes_have_the_same_steps() -> None:
    docker, (header, sections) = dockerfile(), definition()
    assert header == {"Bootstrap": "docker", "From": BASE}
    assert docker["FROM"] == [BASE]
    assert docker["COPY"] == sections["files"]
    assert docker["RUN"] == sections["post"]
    assert docker["ENTRYPOINT"] == ['["rsis"]']
    assert sections["runscript"] == ['exec rsis "$@"']
    assert docker.keys() == {"FROM", "ENV", "COPY", "RUN", "ENTRYPOINT"}
    assert sections.keys() == {"environment", "files", "post", "runscript"}
    assert sections["environment"][0].removeprefix("export ") in docker["ENV"]


def test_what_is_copied_is_there_and_sent_to_the_builder() -> None:
    copied = [line.split() for line in dockerfile()["COPY"]]
    for source, target in copied:
        assert (REPOSITORY / source).exists(), source
        assert target == f"/opt/rsis/{source}"
    sources = {source for source, _ in copied}
    lines = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    assert {line[1:] for line in lines if line.startswith("!")} == sources
    assert lines.index("*") < min(lines.index(f"!{source}") for source in sources)
    named = {"README.md", "LICENSE"} & set(re.findall(r"[\w.]+", (REPOSITORY / "pyproject.toml").read_text()))
    assert named <= sources  # the build of the package reads them


def test_the_environment_is_that_of_the_lock() -> None:
    lock, package = dockerfile()["RUN"][-2:]
    assert lock == "pip install --no-cache-dir --requirement /opt/rsis/requirements.lock"
    assert package == "pip install --no-cache-dir --no-deps /opt/rsis"


def test_no_recipe_names_a_host() -> None:
    for path in FOLDER.iterdir():
        text = path.read_text()
        assert text.isascii()
        assert "://" not in text
        assert not re.search(r"\b[\w-]+\.(io|com|org|net)\b", text), path


def test_the_image_is_used_only_where_it_is_configured() -> None:
    lines = (REPOSITORY / "Snakefile").read_text().splitlines()
    assert 'container: config.get("container")' in lines
    distributed = Path(REPOSITORY / "workflow/rules/training.smk").read_text().split("use rule train as")[1]
    assert re.search(r"container:\s+None", distributed)  # its shell command needs srun of the machine
    for profile in (REPOSITORY / "workflow/profiles").glob("*/config.yaml"):
        settings = yaml.safe_load(profile.read_text())
        assert "container" not in str(settings.get("config", ""))
        assert "software-deployment-method" not in settings
