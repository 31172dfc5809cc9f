"""`RSIS.predict` gives one result or a list, by what it is given: here each under its own name."""

from typing import Any

from rsis import RSIS
from rsis.tool.result import ImageResult


def predict_one(model: RSIS, picture: Any, **options: Any) -> ImageResult:
    """The result of one picture."""
    result = model.predict(picture, **options)
    assert isinstance(result, ImageResult)
    return result


def predict_all(model: RSIS, pictures: Any, **options: Any) -> list[ImageResult]:
    """The results of several pictures."""
    results = model.predict(pictures, **options)
    assert isinstance(results, list)
    return results
