"""The line of `rsis score` about a prediction file without a single object."""

from rsis.eval.scores import Scores


def nothing_found(scores: Scores) -> str:
    """Return why no object was predicted and what to do, in one line; "" if one was.

    The objectness of the first step of an image decides whether it has an object at all.
    """
    if scores.per_image["predicted"].sum() > 0:
        return ""
    images, parameters = len(scores.per_image), scores.protocol["predict"]
    where = f"no object is predicted in any of the {images} images"
    first = scores.steps[scores.steps["step"] == 0]["objectness"]
    threshold = parameters.get("objectness_threshold")
    if first.empty or threshold is None:
        return f"{where}; train longer, or lower the thresholds of the section predict"
    low, high = first.min(), first.max()
    span = f"the objectness of the first step is {low:.3f} to {high:.3f}"
    if high < threshold:
        return (
            f"{where}: {span}, below predict.objectness_threshold {threshold:g}; train longer, or lower the threshold "
            "and predict again"
        )
    return (
        f"{where}: {span}, so objects were begun, but no mask of them has a pixel above predict.mask_threshold "
        f"{parameters.get('mask_threshold', 0.5):g} and is larger than predict.min_area; train longer, or lower these "
        "and predict again"
    )
