"""What every part of params.yaml is made of: the strict mapping and the number types with a range."""

import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    WithJsonSchema,
)

_NAME = "[A-Za-z0-9_][A-Za-z0-9_-]{0,99}"
NAME_RULE = "1 to 100 letters, digits, _ and -, the first of them no -"


def is_name(text: str) -> bool:
    """Return whether a text can name a run, a data set or a comparison (`NAME_RULE`).

    Names become parts of paths and words of shell commands, in dvc.yaml and in the Snakefile. These need no quoting.
    """
    return re.fullmatch(_NAME, text) is not None


def _checked_name(text: str) -> str:
    if not is_name(text):
        raise ValueError(f"not a name; expected {NAME_RULE}")
    return text


Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = PositiveFloat
NonNegative = NonNegativeFloat
Count = Annotated[int, Field(ge=1)]
MOST_STEPS = 1000
Steps = Annotated[int, Field(ge=1, le=MOST_STEPS)]  # of the decoder, and so objects of an image
Epoch = NonNegativeInt
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Side = Annotated[int, Field(ge=1, le=8192)]  # pixels
Size = tuple[Side, Side]  # (H, W)
Name = Annotated[str, AfterValidator(_checked_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$"})]
Split = Literal["train", "val", "test"]


class Section(BaseModel):
    """A mapping of params.yaml: unknown keys forbidden, no conversion between types, unchangeable.

    The docstring below a field is its explanation for users; `rsis.config.keys` shows it.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
