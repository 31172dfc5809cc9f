"""What is said of each key: that there is something, that it agrees with the models, and that everything says it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML
from support.params_text import change
from support.reference_data import REPOSITORY

from rsis.config.bounded_yaml import read_yaml
from rsis.config.keys import Key, list_keys, matching_keys, place_of
from rsis.config.params import Params, load_params
from rsis.config.schema import schema_of, schema_text
from rsis.config.types import Section
from rsis.errors import UserError

KEYS = list_keys(Params)
SOURCES = ("Paper", "Released code", "Ours")


def sections(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A model and all models in the types of its fields."""
    yield model
    for field in model.model_fields.values():
        kinds: list[Any] = [field.annotation]
        while kinds:
            kind = kinds.pop()
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from sections(kind)
            kinds += get_args(kind)


ALL = sorted(set(sections(Params)), key=lambda section: section.__name__)


@pytest.mark.parametrize("section", ALL, ids=lambda section: section.__name__)
def test_each_field_says_in_sentences_what_it_means(section: type[BaseModel]) -> None:
    assert issubclass(section, Section)
    for name, field in section.model_fields.items():
        assert field.description, f"{section.__name__}.{name} has no docstring"
        assert re.match(r"[A-Z]", field.description), f"{section.__name__}.{name}: no sentence"
        assert field.description.endswith("."), f"{section.__name__}.{name}: no sentence"
        assert not re.search(r"(?<!`)\bdefaults?\b", field.description), f"{name}: the default stands in the code alone"


def subclasses(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for one in model.__subclasses__():
        yield one
        yield from subclasses(one)


def test_sections_are_all_that_are_defined() -> None:
    """A section that no key leads to would go unseen by the tests here."""
    defined = {model for model in subclasses(Section) if model.__module__.startswith(("rsis.config", "rsis.splits"))}
    assert {model for model in defined if not model.__subclasses__()} == set(ALL)


@pytest.mark.parametrize(
    "key", [key for key in KEYS if key.path[0] == "runs" and len(key.path) > 3], ids=lambda k: k.name
)
def test_a_number_of_a_run_says_where_it_comes_from(key: Key) -> None:
    is_section = key.type.startswith("mapping")
    assert is_section or any(source in key.meaning for source in SOURCES)


def test_the_list_has_every_field_of_every_section() -> None:
    listed = {(key.path[-1], key.meaning) for key in KEYS}
    for section in ALL:
        for name, field in section.model_fields.items():
            meaning = " ".join(str(field.description).split())
            assert any(name == last and meaning in text for last, text in listed), f"{section.__name__}.{name}"


@pytest.mark.parametrize(
    ("name", "only", "kind", "default"),
    [
        ("runs.RUN.train.lr", "", "number > 0, <= 1000", None),
        ("runs.RUN.train.seed", "", "integer 0 to 4294967295", "0"),
        ("runs.RUN.train.augment.shear", "", "number >= 0, < 90", "0.0"),
        ("runs.RUN.train.augment", "", "mapping", "{}"),
        ("runs.RUN.train.curriculum", "", "mapping, or null", "null"),
        ("runs.RUN.model.skip_mode", "", "concat | sum | mul | none", "concat"),
        ("runs.RUN.model.hidden_widths", "", "list of integer >= 1 (1 to 5 of them), or null", "null"),
        ("runs.RUN.train.minutes", "", "number > 0, <= 1000000, or null", "null"),
        (
            "datasets.DATASET.format",
            "",
            "cvppp | coco | voc | cityscapes | maps | masks | yolo | labelme | cvat | labelstudio | via | geojson | "
            "imagej",
            None,
        ),
        ("datasets.DATASET.size", "", "[integer 1 to 8192, integer 1 to 8192]", None),
        ("datasets.DATASET.class_name", "format maps, masks", "text", "object"),
        ("datasets.DATASET.source.files.FILE.unpack", "kind archives", "true | false", "true"),
        ("datasets.DATASET.splits.SPLIT.take", "format cvppp", "[integer >= 0, integer >= 1], or null", "null"),
        ("datasets.DATASET.splits.SPLIT.suffix", "format maps", "text", '""'),
        ("comparisons", "", "mapping of names to list of text (not empty)", "{}"),
    ],
)
def test_a_key_has_type_and_default(name: str, only: str, kind: str, default: str | None) -> None:
    (key,) = (key for key in KEYS if (key.name, key.only) == (name, only))
    assert (key.type, key.default) == (kind, default)


def test_defaults_are_those_of_the_models() -> None:
    """The list's defaults are valid values, written as they would be in the file."""
    yaml = YAML(typ="safe", pure=True)
    run = load_params(REPOSITORY / "params.yaml").run("demo")
    written: dict[str, Any] = {"train": {"epochs": 1, "batch_size": 1, "num_steps": 1, "lr": 1.0, "lr_encoder": 1.0}}
    expected = type(run.train).model_validate(written["train"]).model_dump(mode="json")
    for key in KEYS:
        if key.path[:3] != ("runs", "RUN", "train") or len(key.path) != 4 or key.default in (None, "{}"):
            continue
        if key.path[-1] != "epochs":  # one of epochs and minutes must be written
            assert yaml.load(str(key.default)) == expected[key.path[-1]], key.name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lr", ["runs.RUN.train.lr"]),
        ("train.lr", ["runs.RUN.train.lr"]),
        ("runs.demo.train.lr", ["runs.RUN.train.lr"]),
        ("runs.RUN.train.lr", ["runs.RUN.train.lr"]),
        ("patience", ["runs.RUN.train.patience", "runs.RUN.train.curriculum.patience"]),
        ("source.files", [
            "datasets.DATASET.source.files",
            *(
                f"datasets.DATASET.source.files.FILE.{key}"
                for key in ("urls", "size", "checksum", "unpack", "max_unpacked")
            ),
        ]),
        ("files.benchmark_tgz.urls", ["datasets.DATASET.source.files.FILE.urls"]),
    ],
)  # fmt: skip
def test_a_name_finds_its_keys(name: str, expected: list[str]) -> None:
    assert [key.name for key in matching_keys(KEYS, name)] == expected


def test_a_section_brings_its_keys() -> None:
    found = [key.name for key in matching_keys(KEYS, "objective")]
    assert found[0] == "runs.RUN.train.objective"
    assert "runs.RUN.train.objective.mask_weight" in found
    assert all("objective" in name for name in found)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("lrr", "near it: lr"),
        ("trian.lr", "near it: train.lr"),
        ("runs.demo.train.epoch", "near it: runs.demo.train.epochs"),
        ("demo", "params.yaml has no key 'demo'"),
        ("zzzz", "`rsis keys` lists all"),
        ("", "params.yaml has no key ''"),
        ("train.", "params.yaml has no key 'train.'"),
    ],
)
def test_an_unknown_name_says_what_is_near(name: str, near: str) -> None:
    with pytest.raises(UserError, match=re.escape(near)):
        matching_keys(KEYS, name)


@pytest.mark.parametrize(
    ("location", "path", "meaning"),
    [
        (("runs", "demo", "train", "lr"), ("runs", "demo", "train", "lr"), "Learning rate"),
        (("runs", "lr"), ("runs", "lr"), ""),
        (("datasets", "x", "cvppp", "source", "plants", "seed"), ("datasets", "x", "source", "seed"), "Of the pict"),
        (("datasets", "cvppp", "cvppp", "size", 1), ("datasets", "cvppp", "size", 1), "Height and width"),
        (("datasets", "x", "cvppp", "splits", "val", "take", 0), ("datasets", "x", "splits", "val", "take", 0), "Posi"),
        (("datasets", "x", "voc", "source", "archives", "files", "a.zip", "urls", 0),
         ("datasets", "x", "source", "files", "a.zip", "urls", 0), "Addresses"),
        (("runs", "demo", "train", "no", "such"), ("runs", "demo", "train", "no", "such"), ""),
        ((), (), ""),
    ],
)  # fmt: skip
def test_a_place_in_the_file_is_explained(location: tuple[Any, ...], path: tuple[Any, ...], meaning: str) -> None:
    place = place_of(Params, location)
    assert place.path == path
    assert place.meaning.startswith(meaning)
    assert meaning or not place.meaning


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("lr", 0, "greater than 0 (Learning rate of decoder and skip connections)"),
        ("epochss", 18, "train.epochss: unknown key; remove it or correct its spelling: epochs?"),
        ("lr", ..., "train.lr: missing; add it (Learning rate of decoder and skip connections)"),
    ],
)
def test_an_error_ends_with_what_the_key_means(tmp_path: Path, key: str, value: Any, message: str) -> None:
    file = tmp_path / "params.yaml"
    text = (REPOSITORY / "params.yaml").read_text()
    file.write_text(change(change(text, f"runs.demo.train.{key}", value), "runs.demo_scenes.train.lr", 0))
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        load_params(file)
    assert str(caught.value).isprintable()
    assert str(caught.value).count("(Learning rate") <= 1  # several runs have the fault


def test_the_schema_of_the_repository_is_current() -> None:
    text = (REPOSITORY / "params.schema.json").read_text()
    assert text == schema_text(Params), "run `rsis keys --schema > params.schema.json`"


def test_the_schema_takes_the_repositorys_file_and_knows_faults() -> None:
    schema = json.loads((REPOSITORY / "params.schema.json").read_text())
    text = (REPOSITORY / "params.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=params.schema.json\n")
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    content = read_yaml(REPOSITORY / "params.yaml")
    validator.validate(content)
    for path, value in (
        ("runs.demo.train.lr", 0),
        ("runs.demo.train.epoch", 1),
        ("runs.demo.model.skip_mode", "add"),
        ("datasets.plants.size", [96]),
        ("datasets.plants.splits.train.take", [0, 10, 20]),
        ("datasets.plants.source.kind", "url"),
        ("datasets.a b", content["datasets"]["plants"]),
        ("datasets.pascal.source.files.a/b", {"urls": ["https://x.org/a"]}),
    ):
        faulty = json.loads(json.dumps(content))
        *parents, last = path.split(".")
        node = faulty
        for part in parents:
            node = node[part]
        node[last] = value
        assert not validator.is_valid(faulty), path


def test_the_schema_tells_variants_apart_and_allows_merge_keys() -> None:
    """Editors take YAML's merge key for a name where names are limited; elsewhere they put in what it stands for."""
    schema = schema_of(Params)
    dataset = schema["properties"]["datasets"]["additionalProperties"]
    assert dataset["discriminator"]["propertyName"] == "format"
    assert len(dataset["oneOf"]) == len(set(dataset["discriminator"]["mapping"].values())) == 7
    assert len(dataset["discriminator"]["mapping"]) == 13
    names = schema["$defs"]["VocDataset"]["properties"]["splits"]["propertyNames"]
    assert names == {"enum": ["train", "val", "test", "<<"]}
    assert re.search(schema["properties"]["runs"]["propertyNames"]["pattern"], "<<")
