"""torchvision's Mask R-CNN behind our interface: what it is made of, and where its masks go."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from pydantic import ValidationError
from support.peer_case import SECTION, drawn_batch
from torch import nn
from torch.nn import functional as F
from torchvision.models.detection.roi_heads import project_masks_on_boxes

from rsis import RSIS, Tiling
from rsis.checkpoint.export import export
from rsis.checkpoint.file import load_checkpoint, save_checkpoint
from rsis.checkpoint.info import CheckpointInfo
from rsis.config.runs import ModelSection, PredictSection, RunSection, TrainSection
from rsis.errors import UserError
from rsis.model.any import make_network
from rsis.model.peers.mask_rcnn import MOST_DETECTIONS, Detections, MaskRCNNNetwork
from rsis.order.run import analyze
from rsis.predict.decode import decode, find_objects
from rsis.predict.run import predict_batch
from rsis.prediction_file import PredictionFile, read_predictions, write_predictions
from rsis.tool.result import ImageResult
from rsis.train.optimizers import parameter_groups
from rsis.train.peer import targets

SIZE = (64, 64)
FEW = 5  # detections of a network with random weights, which finds something everywhere


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


class Knowing(nn.Module):
    """A detector that finds the drawn objects, in an order that its scores do not have, or none of them."""

    def __init__(self, count: int = 3) -> None:
        super().__init__()
        self.count = count

    def forward(self, images: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        found = [
            {
                "boxes": item["boxes"],
                "labels": item["labels"],
                "scores": torch.tensor([0.3, 0.9, 0.6]),
                "masks": project_masks_on_boxes(item["masks"], item["boxes"], torch.arange(3), 28)[:, None],
            }
            for item in targets(drawn_batch())
        ]
        return [{key: values[: self.count] for key, values in item.items()} for item in found[: len(images)]]


def knowing(count: int = 3) -> MaskRCNNNetwork:
    network = MaskRCNNNetwork(SECTION, 3)
    network.detector = Knowing(count)
    return network.eval()


@pytest.fixture(scope="module")
def network() -> MaskRCNNNetwork:
    torch.manual_seed(3)
    network = MaskRCNNNetwork(SECTION, 3).eval()
    network.detector.roi_heads.detections_per_img = FEW
    return network


@pytest.fixture(scope="module")
def checkpoint(network: MaskRCNNNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("peer") / "peer.safetensors"
    predict = PredictSection(num_steps=5, batch_size=2, objectness_threshold=0.0)
    info = CheckpointInfo(
        "peer", "drawn", ("disc", "square"), SIZE, SECTION.model_dump(), {}, predict.model_dump(mode="json"), {}, ""
    )
    save_checkpoint(path, network, info)
    return path


def test_nothing_is_frozen_and_every_batch_norm_learns(network: MaskRCNNNetwork) -> None:
    assert all(parameter.requires_grad for parameter in network.parameters())
    norms = [m for m in network.modules() if "BatchNorm" in type(m).__name__]
    assert len(norms) == 20  # of a ResNet-18
    assert all(type(norm) is nn.BatchNorm2d for norm in norms)


def test_images_keep_their_size_and_values(network: MaskRCNNNetwork) -> None:
    images = torch.randn(2, 3, 70, 96)
    made, _ = network.detector.transform(list(images))
    assert made.tensors.shape == (2, 3, 96, 96)  # what lies below is padding
    assert made.image_sizes == [(70, 96)] * 2
    assert torch.equal(made.tensors[:, :, :70], images)
    assert not made.tensors[:, :, 70:].any()


def test_anchors_are_twice_the_stride_of_their_level(network: MaskRCNNNetwork) -> None:
    cells = network.detector.rpn.anchor_generator.cell_anchors
    for anchors, stride in zip(cells, (4, 8, 16, 32, 64), strict=True):
        width, height = anchors[:, 2] - anchors[:, 0], anchors[:, 3] - anchors[:, 1]
        assert (width * height).sqrt().tolist() == pytest.approx([2 * stride] * 3, rel=0.1)


def test_weights_fill_the_backbone_and_nothing_else(tmp_path: Path) -> None:
    backbone = torchvision.models.resnet18()
    torch.save(backbone.state_dict(), tmp_path / "weights.pth")
    section = SECTION.model_copy(update={"weights": str(tmp_path / "weights.pth")})
    state = make_network(section, 3).backbone.state_dict()
    assert all(torch.equal(value, backbone.state_dict()[name]) for name, value in state.items())
    with pytest.raises(UserError, match="not weights of resnet34"):
        make_network(section.model_copy(update={"backbone": "resnet34"}), 3)


def test_the_backbone_has_a_learning_rate_of_its_own(network: MaskRCNNNetwork) -> None:
    rates = {"lr": 1e-3, "lr_encoder": 1e-4, "lr_kernels": 0.02}
    section = TrainSection.model_validate({"epochs": 1, "batch_size": 1, "num_steps": 1, "optimizer": "muon", **rates})
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    heads, kernels, body, body_kernels = (
        {names[id(parameter)] for parameter in group["params"]} for group in parameter_groups(network, section)
    )
    assert all(name.startswith("detector.backbone.body.") for name in body | body_kernels)
    assert not any(name.startswith("detector.backbone.body.") for name in heads | kernels)
    assert "detector.backbone.body.conv1.weight" in body
    assert {"detector.rpn.head.cls_logits.weight", "detector.roi_heads.mask_predictor.conv5_mask.weight"} <= heads
    assert "detector.roi_heads.mask_head.0.0.weight" in kernels
    assert sum(map(len, (heads, kernels, body, body_kernels))) == len(names)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_masks_go_back_to_where_they_were_read(factor: int) -> None:
    """What torchvision's training wants of the masks, pasted, is the masks again, at any size of the picture."""
    batch = drawn_batch()
    for masks, item in zip(batch.target_masks, targets(batch), strict=True):
        wanted = project_masks_on_boxes(item["masks"], item["boxes"], torch.arange(3), 28)[:, None]
        detections = Detections(item["boxes"], item["labels"], torch.ones(3), wanted, SIZE)
        pasted = detections.pasted(1, 3, (factor * SIZE[0], factor * SIZE[1])) > 0.5
        larger = F.interpolate(masks[1:, None].float(), scale_factor=factor, mode="bilinear")[:, 0] > 0.5
        for ours, theirs in zip(pasted.numpy(), larger.numpy(), strict=True):
            assert iou(ours, theirs) > 0.96


def test_a_whole_box_covers_its_pixels_up_to_the_edge_of_the_picture() -> None:
    boxes = torch.tensor([[0.0, 9.5, 5.5, 15.5], [-0.5, -0.5, 0.5, 0.5]])  # torchvision's own boxes begin at 0
    detections = Detections(boxes, torch.ones(2), torch.ones(2), torch.ones(2, 1, 28, 28), (16, 24))
    for factor in (1, 4):
        pasted = detections.pasted(0, 2, (factor * 16, factor * 24)).numpy() > 0.5
        assert pasted[1].sum() == factor**2
        assert pasted[0, factor * 10 :, factor : factor * 6].all()
        assert not pasted[0, : factor * 10].any()
        assert not pasted[0, :, factor * 6 :].any()
    assert Detections(boxes[:0], boxes, boxes, torch.ones(0, 1, 28, 28), (16, 24)).pasted(0, 0, (8, 9)).shape[0] == 0


def test_detections_are_a_sequence_that_ends_below_the_threshold() -> None:
    batch, section = drawn_batch(), PredictSection(num_steps=5, objectness_threshold=0.5)
    network = knowing()
    for found, masks in zip(find_objects(network, batch.images, [SIZE] * 4, section), batch.target_masks, strict=True):
        assert found.scores == pytest.approx([0.9, 0.6])
        assert found.objectness == pytest.approx([0.9, 0.6, 0.3])
        assert found.class_probs.tolist() == [[1, 0], [0, 1]]
        assert all(iou(mask, masks[number].numpy()) > 0.96 for mask, number in zip(found.masks, (1, 2), strict=True))
    (one,) = find_objects(network, batch.images[:1], [SIZE], section.model_copy(update={"num_steps": 1}))
    assert one.objectness == pytest.approx([0.9])


def test_a_picture_without_a_detection_is_one_without_an_object(tmp_path: Path) -> None:
    section = PredictSection(num_steps=5)
    predictions = predict_batch(knowing(0), drawn_batch().images[:1], [("empty", SIZE)], section)
    file = PredictionFile("drawn", "peer", "test", "ab" * 32, ("disc", "square"), {}, tuple(predictions))
    write_predictions(tmp_path / "p.json", file, iter(predictions))
    assert read_predictions(tmp_path / "p.json").images == tuple(predictions)


def test_a_checkpoint_gives_the_same_detections(checkpoint: Path, network: MaskRCNNNetwork) -> None:
    section, images = PredictSection(num_steps=3), drawn_batch().images[:2]
    loaded, info = load_checkpoint(checkpoint, expected=SECTION)
    assert info.model["peer"] == "mask_rcnn"
    assert isinstance(loaded, MaskRCNNNetwork)
    assert loaded.detector.roi_heads.detections_per_img == MOST_DETECTIONS
    loaded.detector.roi_heads.detections_per_img = FEW
    for ours, theirs in zip(decode(loaded, images, section), decode(network, images, section), strict=True):
        assert np.array_equal(ours.scores, theirs.scores)
        assert torch.equal(ours.resized(0, len(ours.scores), SIZE), theirs.resized(0, len(ours.scores), SIZE))
    with pytest.raises(UserError, match="another architecture"):
        load_checkpoint(checkpoint, expected=ModelSection(backbone="resnet18", hidden_widths=(8,)))


def test_it_predicts_pictures_whole_and_in_tiles(checkpoint: Path) -> None:
    model = RSIS.from_checkpoint(checkpoint, device="cpu")
    assert isinstance(model.network, MaskRCNNNetwork)
    heads = model.network.detector.roi_heads
    heads.detections_per_img = FEW
    picture = np.random.default_rng(1).integers(0, 256, (80, 100, 3), np.uint8)
    heads.mask_predictor.mask_fcn_logits.bias.data += 1.0  # every mask has pixels
    whole = model.predict(picture)
    assert isinstance(whole, ImageResult)
    assert len(whole.instances) == FEW
    assert len(whole.objectness) == FEW
    tiled = model.predict(picture, tiling=Tiling((64, 64)), min_area=0.0)
    assert isinstance(tiled, ImageResult)
    assert len(tiled.objectness) == 4 * FEW  # of four tiles
    assert tiled.instances


def test_what_needs_a_sequence_is_refused_in_a_line(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Mask R-CNN is not exported"):
        export(checkpoint, tmp_path / "peer.pt", "torchscript")
    with pytest.raises(UserError, match="Mask R-CNN has no steps"):
        RSIS.from_checkpoint(checkpoint, device="cpu")(torch.zeros(1, 3, 64, 64), 2)
    run = RunSection.model_validate(
        {
            "dataset": "drawn",
            "model": SECTION.model_dump(),
            "train": {"epochs": 1, "batch_size": 1, "num_steps": 1, "lr": 1e-3, "lr_encoder": 0.0},
            "predict": {"num_steps": 1},
            "score": {"scorers": ("coco",)},
        }
    )
    with pytest.raises(UserError, match="peer mask_rcnn emits no sequence"):
        analyze("rival", run, tmp_path, checkpoint, tmp_path / "out", progress=False)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("model", "order", "message"),
    [
        ({"hidden_widths": (8, 4)}, "matching", "hidden_widths: not a key of peer mask_rcnn"),
        ({"skip_mode": "sum", "stride": 8}, "matching", "skip_mode, stride: not a key of peer mask_rcnn"),
        ({"decoder": "pointer"}, "matching", "decoder: not a key of peer mask_rcnn"),
        ({"backbone": "vgg16"}, "matching", "backbone vgg16 is not for peer mask_rcnn; choose a resnet"),
        ({}, "size", "train.order size is not for peer mask_rcnn; leave it out"),
    ],
)
def test_keys_that_do_not_apply_are_named(model: dict[str, object], order: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RunSection.model_validate(
            {
                "dataset": "drawn",
                "model": {"backbone": "resnet18", "peer": "mask_rcnn", **model},
                "train": {
                    **{"epochs": 1, "batch_size": 1, "num_steps": 1, "lr": 1e-3, "lr_encoder": 0.0, "order": order}
                },
                "predict": {"num_steps": 1},
                "score": {"scorers": ("coco",)},
            }
        )


def test_small_boxes_keep_their_width_in_bf16() -> None:
    detector: Any = MaskRCNNNetwork(SECTION, 3).detector
    box = torch.tensor([[180.0, 90.0, 180.5, 90.5]])
    for coder in (detector.rpn.box_coder, detector.roi_heads.box_coder):
        decoded = coder.decode(torch.zeros(1, 4, dtype=torch.bfloat16), [box])
        torch.testing.assert_close(decoded.view(-1, 4), box)
