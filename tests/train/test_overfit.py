"""A network that learns two pictures by heart."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from support.short_training import paths_in, run_with, train_quietly

from rsis.data.prepared.writer import SplitOrigin, write_split
from rsis.data.synthetic.plants.dataset import make_plant
from rsis.structures import RawSample


@dataclass(frozen=True)
class TwoPlants:
    """Two generated plants of four leaves, repeated so that an epoch has the wanted number of steps."""

    image_ids: tuple[str, ...]
    class_names: tuple[str, ...] = ("leaf",)

    def read(self, image_id: str) -> RawSample:
        return replace(make_plant(7, int(image_id) % 2, (64, 64), (4, 4)), image_id=image_id)


@pytest.mark.learning
def test_overfits_one_batch(tmp_path: Path) -> None:
    """The network memorises two plants: each leaf at a step of its own, and low objectness after the last leaf.

    The epochs are few and long, because the whole training state is written after each, which takes longer than a step.
    """
    processed = tmp_path / "processed"
    for split, steps in (("train", 32), ("val", 1)):
        plants = TwoPlants(tuple(f"{number:03d}" for number in range(2 * steps)))
        write_split(plants, processed / f"{split}.h5", (64, 64), SplitOrigin("x", split, "y"))
    run = run_with(
        epochs=6,
        lr=3e-3,
        lr_encoder=3e-3,
        num_steps=5,
        augment={},
        curriculum=None,
        validate_every=6,
        keep="last",
        objective={"stop_from_epoch": 0},
    )
    # with the rounding of some machines, training stays for long at masks near 0.5 that all steps share; larger initial
    # mask logits avoid this
    larger = {
        "hidden_widths": (32, 16, 8),
        "mask_kernel_size": 3,
        "mask_gain": 5.0,
        "mask_bias": -2.0,
        "dropout": 0.0,
    }
    run = run.model_copy(update={"model": run.model.model_copy(update=larger)})
    paths = paths_in(tmp_path, processed)
    train_quietly(run, paths)
    mask = (paths.history / "plots/metrics/train/mask.tsv").read_text().split()
    stop = (paths.history / "plots/metrics/train/stop.tsv").read_text().split()
    assert float(mask[3]) > 0.6
    assert float(mask[-1]) < 0.2
    assert float(stop[-1]) < 0.05
