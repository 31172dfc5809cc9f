"""A params.yaml that is damaged or made to do harm ends in one line, soon and in little memory."""

import re
import resource
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from support.params_text import change
from support.reference_data import REPOSITORY

from rsis.config.bounded_yaml import MOST_NODES, read_yaml
from rsis.config.params import load_params
from rsis.config.types import is_name
from rsis.errors import UserError

OWN = (REPOSITORY / "params.yaml").read_text()
LAUGHS = "\n".join(["x0: &x0 [ha, ha]", *(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 40)), ""])
MERGED = "\n".join(
    ["x0: &x0 {a0: 1}", *(f"x{n}: &x{n} {{<<: [{', '.join([f'*x{n - 1}'] * 10)}], a{n}: 1}}" for n in range(1, 40)), ""]
)
FILES: dict[str, str | bytes] = {
    "laughs": LAUGHS,
    "laughs in keys that exist": OWN + LAUGHS,
    "merged": MERGED,
    "recursive list": "datasets: &a [*a]\n",
    "recursive mapping": "datasets: &a {b: *a}\n",
    "recursive merge": "datasets: &a\n  <<: *a\n",
    "recursive, further down": "datasets: &a {b: {c: [1, {d: *a}]}}\n",
    "deep": "[" * 100_000,
    "deep mappings": "{a: " * 100_000,
    "deep blocks": "\n".join(" " * depth + "a:" for depth in range(2000)),
    "bad int": "default: !!int x\n",
    "bad float": "default: !!float x\n",
    "bad bool": "default: !!bool x\n",
    "bad binary": "default: !!binary x\n",
    "bad date": "default: 2026-13-45\n",
    "date as a name": "datasets: {2026-01-01: {}}\nruns: {}\n",
    "date as a value": re.sub(r"epochs: \d+", "epochs: 2026-01-01", OWN, count=1),
    "5000 digits": f"default: {'9' * 5000}\n",
    "5000 hexadecimal digits": f"datasets: 0x{'f' * 5000}\n",
    "5000 hexadecimal digits as a name": f"datasets: {{0x{'f' * 5000}: 1}}\n",
    "list as a name": "? [a, b]\n: 1\n",
    "mapping as a name": "? {a: b}\n: 1\n",
    "unknown tag": "datasets: !!python/object/apply:os.system [touch harmed]\n",
    "a scalar": "'",
    "nothing": "",
    "two documents": "a: 1\n---\nb: 2\n",
    "not UTF-8": b"datasets: \xff\xfe\n",
    "zero bytes": b"\x00" * 100,
    "large": "#" * 2_000_000,
    "many faults": "".join(f"key{number}: 1\n" for number in range(5000)),
    "a long value": OWN.replace("dataset: plants", f"dataset: {'x' * 100_000}", 1),
    "lines in a value": OWN.replace("kind: plants", 'kind: "a\\nb\\x1b[2J"', 1),
}


@pytest.mark.parametrize("name", FILES)
def test_one_line_soon(tmp_path: Path, name: str) -> None:
    file = tmp_path / "params.yaml"
    content = FILES[name]
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    began = time.process_time()
    with pytest.raises(UserError) as caught:
        load_params(file)
    assert time.process_time() - began < 10  # seconds; what fills the memory takes minutes
    message = str(caught.value)
    assert message.startswith(str(file))
    assert message.isprintable()
    assert len(message) < 4000


def test_the_command_ends_with_code_2_in_little_memory(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(LAUGHS)
    limit = 500 * 2**20
    ended = subprocess.run(
        [Path(sys.executable).with_name("rsis"), "download", "plants"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert f"stands for more than {MOST_NODES} values, counting what aliases repeat" in ended.stderr


def test_aliases_and_merge_keys_are_read_as_before(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: &a {x: 1e-3, y: [1, 2]}\nb: {<<: *a, y: 3}\nc: *a\n")
    assert read_yaml(file) == {"a": {"x": 1e-3, "y": [1, 2]}, "b": {"x": 1e-3, "y": 3}, "c": {"x": 1e-3, "y": [1, 2]}}


WORDS = """010 08 1_000 0o17 0x1F 0b11 -7 +7 0_8 1e-3 1E5 1. .5 -.5e+3 -.5e3 1__0.5 .inf .nan 1:30 on yes True tRue ~
null Null '' "1" _ _1 0x 0b a:b -0x1F"""  # each means something else to YAML 1.1, or nearly so


@pytest.mark.parametrize("text", [*WORDS.split(), "", "[1, a b, 'it''s']", "{b: 1, c}", "|\n  two\n  lines", "!!str 1"])
def test_words_mean_what_they_mean_to_dvc(text: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"a: {text}\n")
    assert repr(read_yaml(file)) == repr(YAML(typ="safe", pure=True).load(file))


def test_the_repositorys_own_file_means_what_it_means_to_dvc() -> None:
    file = REPOSITORY / "params.yaml"
    assert read_yaml(file) == YAML(typ="safe", pure=True).load(file)


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: 1\nb: 2\na: 3\n")
    with pytest.raises(UserError, match="key 'a' is there twice, line 3"):
        read_yaml(file)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("source.seed", -3, "source.seed: found -3; input should be greater than or equal to 0"),
        ("source.image_size", [1, 1], "source.image_size.0: found 1; input should"),
        ("source.image_size", [1000000, 96], "source.image_size.0: found 1000000; input should be"),
        ("source.leaves", [12, 4], "source.leaves: the first is the least and the second"),
        ("source.leaves", [4, 100000], "source.leaves.1: found 100000; input should be"),
        ("size", [100000, 96], "size.0: found 100000; input should be less than or"),
    ],
)
def test_numbers_of_no_use_are_refused(tmp_path: Path, key: str, value: Any, message: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(change(OWN, f"datasets.plants.{key}", value))
    with pytest.raises(UserError) as caught:
        load_params(file)
    assert f"datasets.plants.{message}" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("rotation", value) for value in (float("inf"), float("nan"), 1e30)),
        *(("shear", 90), ("zoom", [1e-30, 1]), ("aspect", 2.1), ("aspect", -0.1), ("gamma", 2.1), ("noise", 1.1)),
        *(("grey", -0.1), ("invert", 2), ("tint", float("nan")), ("size", [0, 96]), ("size", [96]), ("border", "wrap")),
    ],
)
def test_augmentation_has_limits(tmp_path: Path, key: str, value: Any) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(change(OWN, "runs.demo.train.augment", {key: value}))
    with pytest.raises(UserError, match=rf"train\.augment\.{key}"):
        load_params(file)


NAMES = [
    "../x",
    "a;touch PWNED",
    "$(touch PWNED)",
    "a b",
    "",
    ".",
    "..",
    "-x",
    "a/b",
    "a\nb",
    "a\n",
    "ä",
    "a'b",
    "x" * 101,
]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_a_shell_or_a_path_reads_otherwise_are_refused(tmp_path: Path, name: str) -> None:
    quoted = '"' + name.replace("\n", "\\n") + '"'
    file = tmp_path / "params.yaml"
    file.write_text(f"""default: {{datasets: [], runs: {{}}}}
datasets:
  {quoted}: {{}}
runs:
  {quoted}: {{}}
comparisons:
  {quoted}: [demo]
""")
    with pytest.raises(UserError) as caught:
        load_params(file)
    assert str(caught.value).count("not a name; expected 1 to 100 letters, digits, _ and -") == 3
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["demo", "nuclei-seed3", "_x", "9", "A-b_c", "x" * 100])
def test_names_need_no_quoting(name: str) -> None:
    assert is_name(name)
    assert shlex.quote(name) == name
