"""Predict a prepared split with a checkpoint; the prediction file has masks at the images' original sizes."""

from collections.abc import Iterator
from pathlib import Path

import torch

from rsis.checkpoint.file import load_checkpoint
from rsis.config.runs import PredictSection, RunSection
from rsis.data.prepared.file import PreparedSplit
from rsis.errors import UserError
from rsis.files.digests import sha256_of
from rsis.machine.precision import settle
from rsis.machine.progress import shown
from rsis.model.any import Network
from rsis.predict.decode import find_objects
from rsis.prediction_file import ImagePrediction, InstancePrediction, PredictionFile, write_predictions


def predict(name: str, run: RunSection, processed: Path, checkpoint: Path, target: Path, *, progress: bool) -> None:
    """Write the prediction file of a run.

    Args:
        name: Name of the run.
        run: Its section of params.yaml.
        processed: Folder with the prepared splits.
        checkpoint: The trained network.
        target: The prediction file to write.
        progress: Whether to show a progress bar.

    Raises:
        UserError: The checkpoint is missing, damaged or of another architecture; its classes or its image size are
            not those of the data; the prepared split is missing or damaged.
    """
    section = run.predict
    split = PreparedSplit(processed / f"{section.split}.h5")
    network, info = load_checkpoint(checkpoint, expected=run.model)
    for what, ours, theirs in (("classes", info.class_names, split.class_names), ("size", info.size, split.size)):
        if ours != theirs:
            raise UserError(
                f"{checkpoint}: trained on {what} {ours}, but {run.dataset} has {theirs}; "
                f"run `rsis prepare {run.dataset}` and `rsis train {name}` again"
            )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    section = section.model_copy(update={"precision": settle(section.precision, device)})  # the file says which it was
    network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    file = PredictionFile(
        dataset=run.dataset,
        run=name,
        split=section.split,
        checkpoint=sha256_of(checkpoint),
        class_names=info.class_names,
        parameters=section.model_dump(mode="json"),
        images=(),
    )
    write_predictions(target, file, _predictions(network, split, section, progress=progress))


def _predictions(
    network: Network, split: PreparedSplit, section: PredictSection, *, progress: bool
) -> Iterator[ImagePrediction]:
    """Yield the prediction of each image of a split, in the split's order."""
    device = next(network.parameters()).device
    starts = range(0, len(split), section.batch_size)
    for start in shown(starts, "predict", len(starts), wanted=progress):
        samples = [split.read(i) for i in range(start, min(start + section.batch_size, len(split)))]
        batch = torch.stack([sample.image for sample in samples]).to(device)
        ids_and_sizes = [(sample.image_id, sample.original_size) for sample in samples]
        yield from predict_batch(network, batch, ids_and_sizes, section)


def predict_batch(
    network: Network,
    images: torch.Tensor,
    ids_and_sizes: list[tuple[str, tuple[int, int]]],
    section: PredictSection,
) -> list[ImagePrediction]:
    """Predict the objects of a batch, in the form of a prediction file.

    Args:
        network: In eval mode.
        images: uint8 [B, 3, H, W] on the network's device.
        ids_and_sizes: Image id and original size (H, W) of each image.
        section: Thresholds.

    Returns:
        One prediction for each image, its objects in the order of the decoder steps.
    """
    results = []
    detected = find_objects(network, images, [size for _, size in ids_and_sizes], section)
    for (image_id, size), objects in zip(ids_and_sizes, detected, strict=True):
        instances = [
            InstancePrediction(patch.rle(), tuple(probs.tolist()), float(score), int(step))
            for patch, probs, score, step in zip(
                objects.patches, objects.class_probs, objects.scores, objects.steps, strict=True
            )
        ]
        objectness = tuple(objects.objectness.tolist())
        results.append(ImagePrediction(image_id, size, tuple(instances), objectness))
    return results
