"""The instances that prediction makes of the network's output."""

from typing import Any

import numpy as np
import pytest
import torch

from rsis.config.runs import PredictSection
from rsis.masks import decode_rle
from rsis.model.convlstm.decoder import DecoderState
from rsis.model.network import RSISNetwork
from rsis.predict.binary import binary_masks, largest_component
from rsis.predict.decode import resized_by_corners
from rsis.predict.run import predict_batch
from rsis.structures import RSISOutput


class FixedOutputs(RSISNetwork):
    """A network that returns the same outputs for every image."""

    def __init__(self, masks: torch.Tensor, objectness: list[float], classes: torch.Tensor | None = None) -> None:
        torch.nn.Module.__init__(self)
        self.normalization = "imagenet"
        steps = len(objectness)
        self.output = RSISOutput(
            mask_logits=masks[None],
            class_logits=torch.zeros(1, steps, 2) if classes is None else classes[None],
            objectness_logits=torch.logit(torch.tensor([objectness])),
        )

        self.steps_run = 0

    def start(self, images: torch.Tensor) -> DecoderState:
        assert images.dtype == torch.float32
        self.steps_run = 0
        return DecoderState(())

    def decode(self, state: DecoderState, num_steps: int) -> tuple[RSISOutput, DecoderState]:
        part = slice(self.steps_run, self.steps_run + num_steps)
        self.steps_run = part.stop
        whole = self.output
        return RSISOutput(
            whole.mask_logits[:, part], whole.class_logits[:, part], whole.objectness_logits[:, part]
        ), state


def halves() -> torch.Tensor:
    """Logits of four masks [4, 4, 4]: left half, right half, nothing, everything."""
    masks = torch.full((4, 4, 4), -9.0)
    masks[0, :, :2] = 9
    masks[1, :, 2:] = 9
    masks[3] = 5
    return masks


def predict(network: FixedOutputs, size: tuple[int, int] = (4, 4), **changes: Any) -> list[tuple[int, int]]:
    """Step and pixel count of each instance found."""
    section = PredictSection(num_steps=4, **changes)
    images = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    (image,) = predict_batch(network, images, [("x", size)], section)
    assert image.size == size
    return [(item.step, int(decode_rle(item.rle).sum())) for item in image.instances]


def test_the_sequence_ends_at_the_first_doubt() -> None:
    assert predict(FixedOutputs(halves(), [0.9, 0.4, 0.9, 0.9])) == [(0, 8)]
    assert predict(FixedOutputs(halves(), [0.9, 0.4, 0.9, 0.9]), objectness_threshold=0.3) == [(0, 8), (1, 8), (3, 16)]
    assert predict(FixedOutputs(halves(), [0.1, 0.9, 0.9, 0.9])) == []


def test_no_step_is_run_long_after_every_sequence_has_ended() -> None:
    masks, doubtful, sure = torch.full((20, 4, 4), 9.0), [0.9] * 5 + [0.1] * 15, [0.9] * 20
    section = PredictSection(num_steps=20)
    for objectness, objects, most in ((doubtful, 5, 8), (sure, 20, 20)):
        network = FixedOutputs(masks, objectness)
        (image,) = predict_batch(network, torch.zeros(1, 3, 4, 4, dtype=torch.uint8), [("x", (4, 4))], section)
        assert len(image.instances) == objects
        assert objects < network.steps_run + 1 <= most + 1


def test_empty_and_small_masks_are_no_objects() -> None:
    sure = [0.9] * 4
    assert [step for step, _ in predict(FixedOutputs(halves(), sure))] == [0, 1, 3]
    assert [step for step, _ in predict(FixedOutputs(halves(), sure), min_area=0.5)] == [3]


def test_exclusive_gives_a_contested_pixel_to_the_most_probable() -> None:
    assert predict(FixedOutputs(halves(), [0.9] * 4), exclusive=True) == [(0, 8), (1, 8)]


def test_masks_have_the_images_own_size() -> None:
    assert predict(FixedOutputs(halves(), [0.9] * 4), size=(8, 12)) == [(0, 48), (1, 48), (3, 96)]


def test_class_is_the_likeliest_real_one() -> None:
    """No object gets class 0, even if it has the highest probability."""
    logits = torch.tensor([[5.0, 1.0, 2.0]] * 4)
    section = PredictSection(num_steps=4)
    network = FixedOutputs(halves(), [0.8] * 4, logits)
    (image,) = predict_batch(network, torch.zeros(1, 3, 4, 4, dtype=torch.uint8), [("x", (4, 4))], section)
    first = image.instances[0]
    assert first.class_id == 2
    assert first.class_prob == pytest.approx(torch.tensor([1.0, 2.0]).softmax(0)[1].item())
    assert first.objectness == pytest.approx(0.8)


def test_no_steps_no_masks() -> None:
    section = PredictSection(num_steps=4)
    assert binary_masks(resized_by_corners(torch.zeros(0, 4, 4)), 0, (5, 6), section) == []


def test_largest_component_keeps_diagonal_neighbours_and_drops_the_rest() -> None:
    probs = torch.zeros(2, 4, 5)
    probs[0, 0, 0] = probs[0, 1, 1] = probs[0, 3, 4] = 1.0
    probs[1, 2, 2] = 1.0
    section = PredictSection(num_steps=2, largest_component=True)
    masks = binary_masks(resized_by_corners(probs), len(probs), (4, 5), section)
    assert np.argwhere(masks[0].full()).tolist() == [[0, 0], [1, 1]]
    assert np.argwhere(masks[1].full()).tolist() == [[2, 2]]
    assert binary_masks(resized_by_corners(torch.zeros(0, 4, 4)), 0, (5, 6), section) == []
    assert not largest_component(np.zeros((3, 3), bool)).any()
