"""Imported released checkpoints give the original's outputs; malicious files run no code."""

import argparse
import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.golden_cases import find_cases, relative
from support.released_checkpoint import ARGS, args_of_python_2, save_as_torch_02, save_as_torch_1, write_original

from rsis.checkpoint.file import load_checkpoint, save_checkpoint
from rsis.checkpoint.original import import_original, original_architecture
from rsis.checkpoint.original_args import read_args
from rsis.errors import UserError
from rsis.model.network import RSISNetwork


@pytest.mark.slow
@pytest.mark.golden
@pytest.mark.parametrize(("save", "prefix"), [(save_as_torch_02, "module."), (save_as_torch_1, ""), (torch.save, "")])
def test_outputs_are_the_originals_own(tmp_path: Path, save: Any, prefix: str) -> None:
    cases = [item.values[0] for item in find_cases("forward")]
    case = next(case for case in cases if case["base_model"] == "resnet34" and case["num_classes"] == 21)
    args = ARGS | {key: case[key] for key in ("base_model", "hidden_size", "kernel_size", "skip_mode", "num_classes")}
    folder = write_original(tmp_path / "released", case.network(torch.float32), args, save, prefix)

    save_checkpoint(tmp_path / "ours.safetensors", *import_original(folder))
    network, info = load_checkpoint(tmp_path / "ours.safetensors")

    assert (info.run, info.dataset, info.size, info.predict["num_steps"]) == ("released", "pascal", (256, 256), 10)
    assert info.class_names[14] == "person"
    assert info.train["pascal_dir"] == "/home/josé/VOC"
    with torch.no_grad():
        output = network.double()(case.images(), case["T"])
    wanted = case.network(torch.float32).state_dict()
    assert all(torch.equal(value.float(), wanted[key].float()) for key, value in network.state_dict().items())
    expected = case.arrays
    assert relative(output.objectness_logits.numpy(), expected["stop_logits_f64"]) < 1e-9
    assert relative(output.class_logits.softmax(-1).numpy(), expected["class_probs_f64"]) < 1e-9


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = RSISNetwork(original_architecture("resnet34", 16, 3, "concat"), 2)
    args = ARGS | {"hidden_size": 16, "num_classes": 2, "dataset": "leaves"}
    return write_original(tmp_path_factory.mktemp("released"), network, args, save_as_torch_1)


@pytest.fixture
def folder(released: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage; its files are links, to be replaced and not written to."""
    (tmp_path / "leaves").mkdir()
    for path in released.iterdir():
        (tmp_path / "leaves" / path.name).symlink_to(path)
    return tmp_path / "leaves"


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def test_leaves_have_the_released_codes_thresholds(folder: Path) -> None:
    network, info = import_original(folder)
    assert info.class_names == ("leaf",)
    assert info.predict["objectness_threshold"] == 0.2
    assert not network.training


class Evil:
    """Creates a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:  # noqa: D105
        return os.system, (f"touch {self.target}",)


def evil_pickles(target: Path) -> dict[str, bytes]:
    shell = f"S'touch {target}'\n".encode()
    namespace = argparse.Namespace(lr=Evil(target))
    return {
        "os.system": pickle.dumps(Evil(target), 0),
        "in a namespace": pickle.dumps(namespace, 2),
        "in a namespace, protocol 4": pickle.dumps(namespace, 4),
        "by hand": b"cos\nsystem\n(" + shell + b"tR.",
        "python 2's name": b"c__builtin__\neval\n(" + shell + b"tR.",
        "inst": b"(" + shell + b"ios\nsystem\n.",
        "dotted name": b"\x80\x04\x8c\x08argparse\x8c\x0c_sys.modules\x93.",
        "of the namespace's own module": b"cargparse\nFileType\n(S'w'\ntR(S'" + str(target).encode() + b"'\ntR.",
        "reconstructor": b"ccopy_reg\n_reconstructor\n(c__builtin__\nobject\nc__builtin__\nobject\nNtR.",
        "persistent": b"Pos.system\n.",
        "extension": b"\x80\x02\x82\x01.",
    }


@pytest.mark.parametrize("name", evil_pickles(Path("x")))
def test_arguments_that_would_run_something_are_refused(folder: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "made by the pickle"
    replace(folder / "args.pkl", evil_pickles(target)[name])
    with pytest.raises(UserError, match=r"args\.pkl: (refused|not a pickle)") as caught:
        import_original(folder)
    assert "\n" not in str(caught.value)
    assert not target.exists()


@pytest.mark.parametrize("name", ["encoder.pt", "decoder.pt"])
@pytest.mark.parametrize("new", [True, False])
def test_weights_that_would_run_something_are_refused(folder: Path, tmp_path: Path, name: str, new: bool) -> None:
    target = tmp_path / "made by the pickle"
    (folder / name).unlink()
    torch.save({"a": Evil(target)}, folder / name, _use_new_zipfile_serialization=new)
    with pytest.raises(UserError, match=rf"{name}: cannot be read as weights"):
        import_original(folder)
    assert not target.exists()


def test_lists_that_hold_themselves_and_foreign_values(tmp_path: Path) -> None:
    path = tmp_path / "args.pkl"
    endless: list[Any] = []
    endless.append(endless)
    for value in (endless, {1, 2}, b"bytes"):
        path.write_bytes(pickle.dumps(argparse.Namespace(steps=value), 2))
        with pytest.raises(UserError, match=r"args\.pkl: (steps holds a|refused)"):
            read_args(path)
    path.write_bytes(pickle.dumps(argparse.Namespace(sizes=[(1, 2)], none=None), 2))
    assert read_args(path) == {"sizes": [(1, 2)], "none": None}


@pytest.mark.parametrize("length", [0, 1, 40, 200])
def test_a_truncated_file_is_named(folder: Path, length: int) -> None:
    for name in ("args.pkl", "decoder.pt"):
        content = (folder / name).read_bytes()
        replace(folder / name, content[:length])
        with pytest.raises(UserError, match=name.replace(".", r"\.")):
            import_original(folder)
        replace(folder / name, content)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "coco"}, r"trained on 'coco'; expected one of pascal, leaves, cityscapes"),
        ({"num_classes": 5}, r"num_classes is 5, expected the 2 of leaves"),
        ({"base_model": "alexnet"}, r"backbone is 'alexnet'"),
        (
            {"hidden_size": 32},
            r"encoder\.pt: sk5\.weight is \[16, 512, 3, 3\], expected \[32, 512, 3, 3\] by args\.pkl",
        ),
        ({"hidden_size": 10**6}, r"encoder\.pt: sk5\.weight is .*, expected \[1000000, 512, 3, 3\] by args\.pkl"),
        ({"hidden_size": 3000}, r"encoder\.pt: sk5\.weight is .*, expected \[3000, 512, 3, 3\] by args\.pkl"),
        ({"hidden_size": 10**30}, r"its weights do not fit args\.pkl"),
        ({"hidden_size": "32"}, r"hidden_size is '32', expected a value of type int"),
        ({"base_model": "resnet50"}, r"(lacks|expected).*not of one training"),
        ({"base_model": "vgg16"}, r"lacks base\.features.*not of one training"),
    ],
)
def test_files_that_do_not_fit_each_other(folder: Path, changes: dict[str, Any], message: str) -> None:
    args = ARGS | {"hidden_size": 16, "num_classes": 2, "dataset": "leaves"} | changes
    replace(folder / "args.pkl", args_of_python_2(args))
    with pytest.raises(UserError, match=message):
        import_original(folder)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_not_finite(folder: Path, value: float) -> None:
    state = torch.load(folder / "decoder.pt")
    replace(folder / "args.pkl", args_of_python_2(ARGS | {"hidden_size": 16, "num_classes": 2, "dataset": "leaves"}))
    (folder / "decoder.pt").unlink()
    torch.save(state | {"fc_stop.bias": torch.full_like(state["fc_stop.bias"], value)}, folder / "decoder.pt")
    with pytest.raises(UserError, match=r"decoder\.pt: fc_stop\.bias has values that are not finite numbers"):
        import_original(folder)


def test_missing_files_and_keys(folder: Path) -> None:
    state = torch.load(folder / "decoder.pt")
    (folder / "decoder.pt").unlink()
    torch.save(state | {"fc_more.weight": torch.zeros(1)}, folder / "decoder.pt")
    with pytest.raises(UserError, match=r"decoder\.pt: has fc_more\.weight, which the network of args\.pkl lacks"):
        import_original(folder)
    del state["fc_stop.bias"]
    torch.save(state, folder / "decoder.pt")
    with pytest.raises(UserError, match=r"decoder\.pt: lacks fc_stop\.bias"):
        import_original(folder)
    torch.save([1], folder / "decoder.pt")
    with pytest.raises(UserError, match=r"decoder\.pt: holds a list, not a state dict"):
        import_original(folder)
    (folder / "decoder.pt").unlink()
    with pytest.raises(UserError, match=r"decoder\.pt: no such file; expected the folder of a released checkpoint"):
        import_original(folder)


def test_the_pickle_of_the_tests_is_python_2s() -> None:
    """Python itself reads the pickle that these tests write as a namespace."""
    found = pickle.load(io.BytesIO(args_of_python_2(ARGS)), encoding="latin-1")
    assert vars(found) == ARGS
    assert np.isfinite(found.lr)
