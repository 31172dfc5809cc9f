"""Shapes, modes and edges of the network."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from rsis.config.runs import ModelSection
from rsis.errors import UserError
from rsis.model.convlstm.decoder import join_steps, upsample
from rsis.model.encoder import coordinate_channels
from rsis.model.network import RSISNetwork, mask_probs
from rsis.model.normalization import normalize


def build(**changes: Any) -> RSISNetwork:
    torch.manual_seed(0)
    return RSISNetwork(
        ModelSection(**({"backbone": "resnet18", "hidden_widths": (8, 8, 4, 4, 2)} | changes)), num_classes=3
    )


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["resnet18", "resnet34", "resnet50", "resnet101", "vgg16"])
def test_every_backbone(backbone: str) -> None:
    output = build(backbone=backbone).eval()(torch.rand(1, 3, 64, 64), 2)
    assert output.mask_logits.shape == (1, 2, 64, 64)
    assert output.class_logits.shape == (1, 2, 3)
    assert output.objectness_logits.shape == (1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("layers", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("skip_mode", ["concat", "sum", "mul", "none"])
def test_any_number_of_layers_in_every_skip_mode_learns(layers: int, skip_mode: str) -> None:
    network = build(hidden_widths=(8, 8, 4, 4, 2)[:layers], skip_mode=skip_mode, kernel_size=1)
    output = network(torch.rand(2, 3, 64, 64), 3)
    assert output.mask_logits.shape == (2, 3, *(2 ** (layers + 1),) * 2)
    (output.mask_logits.sum() + output.class_logits.sum() + output.objectness_logits.sum()).backward()
    unused = {n for n, p in network.named_parameters() if p.grad is None}
    if skip_mode == "none":  # only the deepest skip feeds the decoder
        assert all(name.startswith(("encoder.skips.", "encoder.backbone.")) for name in unused)
    elif layers > 1:
        assert unused == set()


@pytest.mark.parametrize("size", [(65, 97), (33, 64), (96, 31)])
def test_odd_sizes_and_a_single_image(size: tuple[int, int]) -> None:
    network = build().eval()
    output = network(torch.rand(1, 3, *size), 2)
    assert mask_probs(output, size).shape == (1, 2, *size)


def test_a_batch_equals_its_images_one_by_one() -> None:
    network = build().double().eval()
    images = torch.rand(3, 3, 48, 64, dtype=torch.float64)
    together = network(images, 4)
    for b in range(3):
        alone = network(images[b : b + 1], 4)
        torch.testing.assert_close(alone.mask_logits[0], together.mask_logits[b], rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(alone.objectness_logits[0], together.objectness_logits[b], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("skip_mode", ["concat", "sum", "mul", "none"])
def test_decoding_in_parts_equals_decoding_at_once(skip_mode: str) -> None:
    network = build(skip_mode=skip_mode).double().eval()
    start = network.start(torch.rand(2, 3, 64, 64, dtype=torch.float64))
    whole, _ = network.decode(start, 5)
    first, state = network.decode(start, 2)
    second, _ = network.decode(state, 3)
    joined = join_steps([first, second])
    for name in ("mask_logits", "class_logits", "objectness_logits"):
        torch.testing.assert_close(getattr(joined, name), getattr(whole, name), rtol=1e-10, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("checkpoint_steps", [1, 2, 5])
def test_checkpointing_over_time_changes_no_output_and_no_gradient(checkpoint_steps: int) -> None:
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64)

    def run(steps: int | None) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        network = build(dropout=0.3).double()
        torch.manual_seed(3)
        output = network(images, 5, steps)
        total = output.mask_logits.sigmoid().sum() + output.class_logits.sum() + output.objectness_logits.sum()
        total.backward()
        return total.detach(), {n: p.grad for n, p in network.named_parameters() if p.grad is not None}

    network = build().double()
    kept = network(images, 5)
    parts = network(images, 5, checkpoint_steps)
    torch.testing.assert_close(parts.mask_logits, kept.mask_logits, rtol=1e-10, atol=1e-12)
    # dropout draws new masks for each segment, so only a segment of all steps has the masks of an undivided run
    (total, gradients), (again, same) = run(checkpoint_steps), run(None if checkpoint_steps == 5 else checkpoint_steps)
    torch.testing.assert_close(total, again, rtol=1e-12, atol=0)
    assert gradients.keys() == same.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(same[name], gradient, rtol=1e-9, atol=1e-9)


def test_dropouts_act_in_training_only() -> None:
    network = build(dropout=0.5, dropout_class=0.5, dropout_stop=0.5)
    images = torch.rand(2, 3, 64, 64)
    network.eval()
    assert torch.equal(network(images, 2).class_logits, network(images, 2).class_logits)
    network.train()
    for module in network.modules():  # the difference must not come from BatchNorm
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    first, second = network(images, 2), network(images, 2)
    assert not torch.equal(first.mask_logits, second.mask_logits)
    assert not torch.equal(first.objectness_logits, second.objectness_logits)


@pytest.mark.parametrize("kind", ["cartesian", "polar", "fourier"])
def test_coordinates_break_the_symmetry_of_a_flat_image(kind: str) -> None:
    images = torch.zeros(1, 3, 64, 64)

    def spread(network: RSISNetwork) -> float:
        skip = network.eval().encoder(images)[2]  # 8 x 8: the padding does not affect its middle
        return float(skip[..., 3:5, 3:5].std(dim=(2, 3)).max().detach())

    assert spread(build(coordinates=kind)) > 10 * spread(build())


def test_polar_coordinates_by_hand() -> None:
    row, column, radius, sine, cosine = coordinate_channels(torch.zeros(2, 7, 9, 9, dtype=torch.float64), "polar")[0]
    assert [float(row[0, 4]), float(column[0, 4]), float(radius[0, 4])] == [-1.0, 0.0, 1.0]
    assert float(sine[8, 4]) == pytest.approx(1 / 1.1)
    assert float(cosine[4, 0]) == pytest.approx(-1 / 1.1)
    assert [float(channel[4, 4]) for channel in (row, column, radius, sine, cosine)] == [0.0] * 5


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_coordinates_stand_behind_the_features(kernel_size: int) -> None:
    encoder = build(coordinates="polar", kernel_size=kernel_size).double().eval().encoder
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    features = encoder.backbone(images)
    for level, project, skip in zip(encoder.levels, encoder.skips, encoder(images), strict=True):
        feature = features[level]
        grid = coordinate_channels(feature, "polar").expand(2, -1, -1, -1)
        torch.testing.assert_close(project(torch.cat([feature, grid], dim=1)), skip, rtol=1e-10, atol=1e-12)


def test_the_box_head_is_an_option_that_changes_nothing_else() -> None:
    images = torch.rand(2, 3, 64, 64)
    plain, boxed = build().eval(), build(box_head=True).eval()
    boxed.load_state_dict(plain.state_dict(), strict=False)
    output = boxed(images, 3)
    assert plain(images, 3).boxes is None
    assert output.boxes.shape == (2, 3, 4)
    assert bool(((output.boxes > 0) & (output.boxes < 1)).all())
    assert torch.equal(output.mask_logits, plain(images, 3).mask_logits)


def test_the_mask_head_starts_from_its_gain_and_bias() -> None:
    plain, scaled = build().decoder.mask_head, build(mask_gain=5.0, mask_bias=-2.0).decoder.mask_head
    torch.testing.assert_close(scaled.weight, 5 * plain.weight)
    torch.testing.assert_close(scaled.bias, plain.bias - 2)


def test_a_1x1_mask_head_before_the_upsampling_equals_one_after_it() -> None:
    decoder = build().double().decoder
    hidden = torch.rand(6, 2, 5, 7, dtype=torch.float64)
    after = decoder.mask_head(upsample(hidden, (10, 14)))
    before = decoder._read_out(hidden, torch.rand(6, 26, dtype=torch.float64), 3).mask_logits
    torch.testing.assert_close(before.transpose(0, 1).flatten(0, 1), after[:, 0], rtol=1e-12, atol=1e-13)


def test_normalize_maps_the_mean_colour_to_zero() -> None:
    grey = torch.tensor([124, 116, 104], dtype=torch.uint8)[None, :, None, None].expand(1, 3, 2, 2)
    assert normalize(grey).abs().max() < 0.01
    assert float(normalize(torch.full((1, 3, 1, 1), 255, dtype=torch.uint8))[0, 0]) == pytest.approx(
        (1 - 0.485) / 0.229
    )


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_backbone_weights_from_a_file(tmp_path: Path, suffix: str) -> None:
    torch.manual_seed(5)
    donor = torchvision.models.resnet18()
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(donor.state_dict(), path)
    else:
        save_file(donor.state_dict(), path)
    network = build(weights=str(path))
    assert torch.equal(network.encoder.backbone.get_parameter("layer4.1.conv2.weight"), donor.layer4[1].conv2.weight)


def test_bad_backbone_weights_end_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such file of backbone weights"):
        build(weights=str(tmp_path / "none.pth"))
    with pytest.raises(UserError, match=r"expected null, a file, or one of IMAGENET1K_V1"):
        build(weights="IMAGENET")
    other = tmp_path / "vgg.pth"
    torch.save(torchvision.models.resnet34().state_dict(), other)
    with pytest.raises(UserError, match=r"not weights of resnet18"):
        build(weights=str(other))
    for name, content in (("text.pth", b"hello"), ("text.safetensors", b"hello")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=r"cannot be read as weights"):
            build(weights=str(tmp_path / name))
