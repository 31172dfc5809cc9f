"""The web page in a real browser: load a picture, change a threshold, download the results, load a wrong file."""

import contextlib
import csv
import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.browser import Browser, browser
from support.in_process import exit_code as rsis
from support.predictions import predict_one
from support.small_model import write_small_model

from rsis import RSIS
from rsis.errors import UserError
from rsis.tool.app.models import Models, found_in

STATUS = "document.querySelector('#status')?.innerText"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("app")
    write_small_model(folder / "small.safetensors", steps=5)
    picture = np.random.default_rng(3).integers(0, 256, (75, 90, 3), np.uint8)
    Image.fromarray(picture).save(folder / "cells.png")
    (folder / "examples").mkdir()
    Image.fromarray(picture[:60]).save(folder / "examples/leaf.png")
    (folder / "broken.png").write_bytes((folder / "cells.png").read_bytes()[:200])
    return folder


@contextlib.contextmanager
def app(folder: Path, checkpoint: str = "small.safetensors", *options: str) -> Iterator[str]:
    """Run the command on a free port until the block ends; SIGTERM ends it, as a background job may ignore SIGINT."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("rsis")), "demo-app", checkpoint, *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    log = folder / "app.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--no-browser", "--port", str(port)], cwd=folder, env=environment, stdout=output, stderr=output
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(1800):
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(OSError):
                urllib.request.urlopen(address, timeout=5).close()
                break
            time.sleep(0.1)
        else:
            raise AssertionError(f"{address}: no answer\n{log.read_text()}")
        yield address
    finally:
        process.terminate()
        code = process.wait(60)
    assert code == 0
    assert "Traceback" not in log.read_text()


def set_slider(page: Browser, name: str, value: float) -> None:
    """Move a slider as a user does: drag it to the value, then release it."""
    page.evaluate(
        f"""(() => {{
            const slider = document.querySelector('#{name} input[type=range]');
            Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(slider, '{value}');
            slider.dispatchEvent(new Event('input', {{bubbles: true}}));
            slider.dispatchEvent(new Event('change', {{bubbles: true}}));
            slider.dispatchEvent(new PointerEvent('pointerup', {{bubbles: true}}));
        }})()"""
    )


@pytest.mark.browser
def test_a_picture_its_objects_and_their_files(folder: Path, tmp_path: Path) -> None:
    model = RSIS.from_checkpoint(folder / "small.safetensors")
    expected = predict_one(model, folder / "cells.png")
    objectness = np.array(predict_one(model, folder / "cells.png", objectness_threshold=0.0).objectness)
    between = float(np.sort(objectness)[1] + np.sort(objectness)[2]) / 2
    fewer = predict_one(model, folder / "cells.png", objectness_threshold=between)
    assert len(fewer.instances) != len(expected.instances)
    with app(folder, "small.safetensors", "--examples", "examples") as address, browser(tmp_path / "profile") as page:
        page.open(address, 1300, 1000)
        page.wait_for("document.querySelector('#picture input[type=file]') !== null", "the page")

        page.upload("#picture input[type=file]", folder / "cells.png")
        page.wait_for(f"{STATUS}?.includes('{len(expected.instances)} objects in cells.png')", "the objects")
        page.wait_for("document.querySelector('#overlay img')?.naturalWidth > 0", "the overlay")
        assert page.evaluate("document.querySelectorAll('#steps .bar').length") == 5
        page.screenshot(tmp_path / "objects.png")

        set_slider(page, "objectness", between)
        page.wait_for(f"{STATUS}?.includes('{len(fewer.instances)} object')", "the higher threshold")
        assert "did not run again" in page.evaluate(STATUS)

        page.evaluate("document.querySelector('#prepare').click()")
        links = page.wait_for("[...document.querySelectorAll('#files a[href]')].map(a => a.href)", "the files")
        page.wait_for("document.querySelectorAll('#files a[href]').length >= 10", "all files")
        links = page.evaluate("[...document.querySelectorAll('#files a[href]')].map(a => a.href)")
        (coco,) = {link for link in links if link.endswith("cells_coco.json")}
        found = json.load(urllib.request.urlopen(coco))
        assert found["annotations"] == fewer.to_coco()["annotations"]
        assert {Path(link).suffix for link in links} == {
            ".png",
            ".json",
            ".csv",
            ".gif",
            ".tif",
            ".txt",
            ".zip",
            ".geojson",
        }

        page.evaluate("document.querySelector('#examples button.thumbnail-item, #examples .thumbnail-lg').click()")
        page.wait_for(f"{STATUS}?.includes('objects in leaf.png, 60 x 90 pixels')", "the example")

        page.open(address, 400)
        page.wait_for("document.querySelector('#picture input[type=file]') !== null", "the page again")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        page.upload("#picture input[type=file]", folder / "broken.png")
        page.wait_for(f"{STATUS}?.includes('broken.png: not a readable image')", "the fault")
        assert str(folder) not in page.evaluate(STATUS)
        outside = [line for line in page.complaints() if line.startswith("asks for") and address not in line]
        assert [line for line in outside if not line.startswith(("asks for blob:", "asks for chrome"))] == []


@pytest.mark.browser
def test_several_pictures_are_counted(folder: Path, tmp_path: Path) -> None:
    model = RSIS.from_checkpoint(folder / "small.safetensors")
    pictures = [folder / "cells.png", folder / "examples/leaf.png", folder / "broken.png"]
    results = [predict_one(model, path) for path in pictures[:2]]
    with app(folder, "small.safetensors", "--examples", "examples") as address, browser(tmp_path / "profile") as page:
        page.open(address, 1300, 1000)
        page.wait_for("document.querySelector('#picture input[type=file]') !== null", "the page")
        page.upload("#picture input[type=file]", *pictures)
        page.wait_for(f"{STATUS}?.includes('objects in cells.png')", "the first picture")
        page.wait_for("document.querySelector('#chosen input') !== null", "the choice among them")
        choose(page, "chosen", 3, 1)
        page.wait_for(f"{STATUS}?.includes('objects in leaf.png')", "the second picture")
        page.evaluate(
            "[...document.querySelectorAll('.label-wrap')].find(e => e.innerText.includes('All pictures')).click()"
        )
        page.wait_for("document.querySelector('#every') !== null", "the button")
        page.evaluate("document.querySelector('#every').click()")
        page.wait_for("document.querySelector('#fault')?.innerText.includes('broken.png: not a readable')", "the fault")
        links = page.wait_for("[...document.querySelectorAll('#archive a[href]')].map(a => a.href)", "the archive")
        (archive,) = {link for link in links if link.endswith(".zip")}
        with zipfile.ZipFile(io.BytesIO(urllib.request.urlopen(archive).read())) as files:
            rows = list(csv.DictReader(io.TextIOWrapper(files.open("images.csv"))))
            assert {"yolo/labels/cells.txt", "labelme/leaf.json", "coco.json"} <= set(files.namelist())
        assert [int(row["count"]) for row in rows] == [len(result.instances) for result in results]
        shown = page.evaluate("document.querySelector('#counts').innerText").split()
        for result in results:
            assert str(sum(item.area for item in result.instances)) in shown


@pytest.mark.browser
def test_a_network_is_chosen_and_a_folder_of_pictures_is_taken(folder: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    (project / "models/a.safetensors").write_bytes(b"no network")
    write_small_model(project / "models/b.safetensors", steps=5)
    write_small_model(project / "models/c.safetensors", steps=3, mask_threshold=0.25)
    (project / "examples/nuclei").mkdir(parents=True)
    Image.open(folder / "cells.png").crop((0, 0, 70, 60)).save(project / "examples/nuclei/ours.png")
    scans = project / "scans"
    (scans / "deep").mkdir(parents=True)
    Image.open(folder / "cells.png").save(scans / "one.png")
    Image.open(folder / "cells.png").crop((0, 0, 80, 50)).save(scans / "deep/two.png")
    for other in ("notes.txt", ".hidden.png"):
        (scans / other).write_text("no picture")
    with app(project, "models") as address, browser(tmp_path / "profile") as page:
        page.open(address, 1300, 1000)
        page.wait_for("document.querySelector('input[webkitdirectory]') !== null", "the page")
        heading = "document.querySelector('#heading').innerText"
        assert "Model b, trained on drawn: disc, square" in page.evaluate(heading)
        value = "document.querySelector('#mask input[type=range]').value"
        assert float(page.wait_for(value.replace(")", ")?"), "the slider")) == 0.5

        page.upload("input[webkitdirectory]", scans)
        page.wait_for(f"{STATUS}?.includes('in one.png, 75 x 90 pixels')", "the first picture of the folder")
        assert page.evaluate("document.querySelectorAll('#steps .bar').length") == 5
        page.wait_for("document.querySelector('#left_out').innerText.includes('2 of 4 files')", "what is no picture")

        choose(page, "network", 3, 2)
        page.wait_for(f"{heading}.includes('Model c, ')", "the other network")
        page.wait_for("document.querySelectorAll('#steps .bar').length == 3", "its steps")
        assert float(page.evaluate(value)) == 0.25
        page.evaluate("document.querySelector('#examples button.thumbnail-item, #examples .thumbnail-lg').click()")
        page.wait_for(f"{STATUS}?.includes('in ours.png, 60 x 70 pixels')", "the example")

        choose(page, "network", 3, 0)
        page.wait_for(f"{STATUS}?.includes('a.safetensors: not a checkpoint')", "the fault")


def choose(page: Browser, name: str, choices: int, position: int) -> None:
    """Choose in a list that drops down, as a user does."""
    page.evaluate(f"document.querySelector('#{name} input').focus()")
    page.wait_for(f"document.querySelectorAll('#{name} ul li').length == {choices}", "the names")
    page.evaluate(
        f"document.querySelectorAll('#{name} ul li')[{position}]"
        ".dispatchEvent(new MouseEvent('mousedown', {bubbles: true}))"
    )


def test_a_folder_without_networks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert rsis(monkeypatch, "demo-app") == 2
    assert capsys.readouterr().err.startswith("rsis: models: has no *.safetensors file; name one checkpoint")
    (tmp_path / "others").mkdir()
    (tmp_path / "others/a.safetensors").write_bytes(b"no network")
    assert rsis(monkeypatch, "demo-app", "others") == 2
    assert capsys.readouterr().err.startswith("rsis: others/a.safetensors: not a checkpoint of this program")


def test_networks_are_read_when_they_are_chosen_and_few_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        write_small_model(tmp_path / f"{name}.safetensors")
    read: list[str] = []
    real = RSIS.from_checkpoint

    def noted(source: str, **options: Any) -> RSIS:
        read.append(Path(source).stem)
        return real(source, **options)

    monkeypatch.setattr(RSIS, "from_checkpoint", noted)
    models = Models(found_in(tmp_path))
    assert (models.names, models.first, read) == (("a", "b", "c"), 0, ["a"])
    assert [models.chosen(number).info.run for number in ("2", "0", "2", "1", "2", None)] == list("cacbca")
    assert read == list("acba")  # a was the one not asked for longest when b was read
    with pytest.raises(UserError, match="network 10: there are 1 to 3"):
        models.chosen("9")


def test_a_port_in_use_is_named(folder: Path) -> None:
    from rsis.tool.app.server import serve

    models = Models([str(folder / "small.safetensors")])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"127\.0\.0\.1:{port}: cannot listen there \(Address already in use\)"):
            serve(models, "127.0.0.1", port, browser=False)
    with pytest.raises(UserError, match=r"nowhere\.invalid:80: cannot listen there"):
        serve(models, "nowhere.invalid", 80, browser=False)
