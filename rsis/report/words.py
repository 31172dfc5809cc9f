"""The main scores of a run in plain sentences, and the score by which its test images are ordered.

Every number comes from the score files of the run (`rsis.eval.scores`), as those of the tables do.
"""

import pandas as pd

from rsis.eval.scores import Scores
from rsis.report.figures.mistakes import FOUND_IOU
from rsis.report.tables.quantities import format_headline

MEANINGS = {  # of the scores of single images
    "SBD": "symmetric best Dice",
    "matched IoU": "the IoU of the correct masks, added up, over the mean of the numbers of objects and of masks",
}
PLAIN_CLASS = "object"  # the class of data without classes: its name says nothing


def in_words(scores: Scores) -> str:
    """Return two or three sentences: how many objects are found, how many masks are right, how well it counts.

    An object is found if some mask of any class overlaps it with an IoU of 0.5 or more. A mask is right if its kind is
    "correct" (`rsis.eval.mistakes`); masks in ignored regions do not count.
    """
    images, judged = scores.per_image, scores.masks[scores.masks["kind"] != "ignored"]
    if not len(scores.objects):
        found = "No scored image has an object."
    else:
        share = _percent(float((scores.objects["iou"] >= FOUND_IOU).mean()))
        found = f"It finds {share} of the {_objects(scores)} at IoU {FOUND_IOU}."
    if not len(judged):
        right = "It predicts no mask."
    else:
        right = (
            f"Of its {_number(len(judged), 'mask')}, {_percent(float((judged['kind'] == 'correct').mean()))} are right."
        )
    off = (images["predicted"] - images["objects"]).abs()
    mean = scores.metrics.get("cvppp/abs_dic", float(off.mean()))
    exact = f"exactly right in {int((off == 0).sum())} of {_number(len(images), 'image')}"
    return f"{found} {right} It counts them wrong by {format_headline(mean, 'count')} an image on average, {exact}."


def image_scores(scores: Scores) -> tuple[str, dict[str, float]]:
    """Return the name of the score of single images, and its value 0..1 by image id.

    It is the SBD if the run has it. Otherwise it is the matched IoU: the sum of the IoU of the image's correct masks,
    divided by the mean of its numbers of objects and of masks; 1 for an image with neither.
    """
    images = scores.per_image.set_index("image_id")
    if "cvppp/sbd" in images:
        return "SBD", _by_id(images["cvppp/sbd"])
    judged = scores.masks[scores.masks["kind"] != "ignored"]
    overlap = judged.loc[judged["kind"] == "correct"].groupby("image_id")["iou"].sum()
    masks = judged.groupby("image_id").size().reindex(images.index, fill_value=0)
    mean = (images["objects"] + masks) / 2
    values = overlap.reindex(images.index, fill_value=0.0) / mean.where(mean > 0)
    return "matched IoU", _by_id(values.fillna(1.0))


def _by_id(values: pd.Series) -> dict[str, float]:
    return {str(image_id): float(value) for image_id, value in values.items()}


def _objects(scores: Scores) -> str:
    """Return the number of objects, with the name of the class or the number of classes that have objects."""
    classes = scores.per_class.loc[scores.per_class["objects"] > 0, "class_name"].tolist()
    text = _number(len(scores.objects), "object")
    if len(scores.per_class) > 1:
        return f"{text} of {_number(len(classes), 'class', 'classes')}"
    return text if classes in ([], [PLAIN_CLASS]) else f"{text} ({classes[0]})"


def _number(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or f'{one}s'}"


def _percent(share: float) -> str:
    """Return a fraction in whole percent; only all are 100 %, and only none are 0 %."""
    whole = round(100 * share)
    if whole == 100 and share < 1:
        return "over 99 %"
    return "under 1 %" if whole == 0 and share > 0 else f"{whole} %"
