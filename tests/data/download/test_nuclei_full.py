"""Test of the run on the Data Science Bowl 2018 from the archive to a score, with a miniature of the real archive.

The miniature has the layout of the original: the folders at the top of the zip, RGBA pictures, grey masks of 0 and 255.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML
from support.in_process import rsis
from support.local_server import Page, Site
from support.own_folders import discs
from support.reference_data import REPOSITORY

IMAGES = 20
SIZES = ((256, 256), (256, 320), (360, 360))  # (H, W) that occur in the real data


def miniature() -> bytes:
    """Return a zip archive of a few pictures."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(IMAGES):
            image, labels = discs(number, SIZES[number % 3], objects=5)
            name = f"{number:064x}"
            alpha = np.full((*image.shape[:2], 1), 255, np.uint8)
            file.mkdir(name)
            file.writestr(f"{name}/images/{name}.png", _png(np.concatenate([image, alpha], axis=2)))
            for label in np.unique(labels[labels > 0]):
                file.writestr(f"{name}/masks/{label:064x}.png", _png(np.uint8(255) * (labels == label)))
    return buffer.getvalue()


def _png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def shortened(site: Site) -> dict[str, Any]:
    """Return the repository's sections with the local server's address, a small model and a training of one epoch."""
    params = YAML(typ="safe").load(REPOSITORY / "params.yaml")
    dataset, run = params["datasets"]["nuclei_full"], params["runs"]["nuclei_full"]
    (archive,) = dataset["source"]["files"].values()
    assert archive["urls"] == ["https://data.broadinstitute.org/bbbc/BBBC038/stage1_train.zip"]
    archive["urls"] = [f"{site.url}/stage1_train.zip"]
    run["model"] |= {"hidden_width": 8}
    run["train"] |= {"minutes": 0.001}  # no other key of train is changed: all others must work as they are
    run["predict"] |= {"objectness_threshold": 0.0}
    return {
        "datasets": {"nuclei_full": dataset},
        "runs": {"nuclei_full": run},
        "default": {"datasets": [], "runs": {}},
    }


@pytest.mark.pipeline
def test_the_archive_becomes_a_score(site: Site, tmp_path: Path) -> None:
    site.pages["/stage1_train.zip"] = Page(miniature())
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump(shortened(site), file)
    said = {}
    for command in ("download", "check", "prepare", "train", "predict", "score"):
        done = rsis(tmp_path, command, "nuclei_full")
        assert done.returncode == 0, f"{command}: {done.stderr}"
        said[command] = " ".join((done.stdout + done.stderr).split())
    assert "recorded sha256:" in said["download"]
    assert "pictures 16 2 2" in said["check"]
    assert "class nucleus" in said["check"]
    assert "pictures 16 2 2" in said["prepare"]
    assert "0.001 minutes" in said["train"]
    metrics = json.loads((tmp_path / "metrics/nuclei_full.json").read_text())
    assert {"cvppp/sbd", "cvppp/abs_dic", "coco/AP50"} <= set(metrics)
    assert (tmp_path / "data/raw/.checksums/nuclei_full.json").is_file()
