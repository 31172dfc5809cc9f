"""Scoring a prediction file: images per second of each scorer, with predictions like those of a trained network."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.cases import Case
from benchmarks.generated import Workspace
from benchmarks.literal.best_dice import symmetric_best_dice as literal_best_dice
from benchmarks.measure import HOST, Settings, interleave
from benchmarks.results import Row
from rsis.config.runs import ScoreSection
from rsis.data.readers.open import open_split
from rsis.data.synthetic.plants.dataset import make_plant
from rsis.eval.run import score_run
from rsis.eval.scorers.cvppp import score_pair
from rsis.masks import encode_rle
from rsis.prediction_file import ImagePrediction, InstancePrediction, PredictionFile, write_predictions

_SCORERS = {"cvppp": "plants", "coco": "scenes", "voc": "scenes", "cityscapes": "streets"}


def cases(settings: Settings) -> list[Case]:
    """Return the cases of the scorers."""
    found = [Case("scoring", scorer, partial(_score, scorer, settings)) for scorer in _SCORERS]
    found.append(Case("scoring", "symmetric best Dice", partial(_best_dice, settings)))
    return found


def _score(scorer: str, settings: Settings) -> list[Row]:
    name = _SCORERS[scorer]
    workspace = Workspace(settings.folder, quick=settings.quick)
    root = workspace.raw(name).root
    path = workspace.folder / f"predictions_{name}.json"
    images, objects = _write_predictions(path, name, workspace, root)
    # the official Cityscapes scorer handles ignored pixels itself
    section = ScoreSection(scorers=(scorer,), remove_ignored=scorer != "cityscapes")  # type: ignore[arg-type]
    dataset = workspace.params.dataset(name)
    calls: dict[str, Callable[[], object]] = {"ours": partial(score_run, path, dataset, root, section)}
    taken = interleave(calls, settings.effort, HOST)
    height, width = workspace.image_size(name)
    note = f"{images} images of {height}x{width}, {objects} predictions, each for every class"
    return [Row("scoring", f"{scorer} on {name}", taken["ours"], items=images, note=note)]


def _write_predictions(path: Path, name: str, workspace: Workspace, root: Path) -> tuple[int, int]:
    """Write the true objects of split val, moved by some pixels; return the numbers of images and objects."""
    random = np.random.default_rng(4)
    reader = open_split(workspace.params.dataset(name), root, "val")
    images = []
    for image_id in reader.image_ids:
        sample = reader.read(image_id)
        instances = []
        for number, class_id in enumerate(sample.class_ids.tolist()):
            shift = random.integers(-4, 5, 2)
            mask = np.roll(sample.instance_map == number + 1, shift, (0, 1))
            probs = random.dirichlet(np.ones(len(reader.class_names)))
            probs[class_id - 1] += 1
            probs /= probs.sum()
            instances.append(
                InstancePrediction(encode_rle(mask), tuple(probs.tolist()), float(random.uniform(0.5, 1)), number)
            )
        height, width = sample.instance_map.shape
        images.append(ImagePrediction(image_id, (height, width), tuple(instances)))
    file = PredictionFile(name, "benchmark", "val", "none", reader.class_names, {}, tuple(images))
    write_predictions(path, file)
    return len(images), sum(len(image.instances) for image in images)


def _best_dice(settings: Settings) -> list[Row]:
    size, leaves = ((64, 64), (3, 4)) if settings.quick else ((500, 530), (16, 16))
    truth = make_plant(1, 1, size, leaves).instance_map
    pred = np.roll(truth, (3, 2), (0, 1))
    calls: dict[str, Callable[[], object]] = {
        "ours": partial(score_pair, pred, truth),
        "literal": partial(literal_best_dice, pred, truth),
    }
    taken = interleave(calls, settings.effort, HOST)
    name = f"symmetric best Dice, {size[0]}x{size[1]}, {int(truth.max())} leaves"
    return [Row("scoring", name, taken["ours"], against="literal", baseline=taken["literal"], items=1)]
