"""What every part of params.yaml is made of: the strict mapping and the number types with a range."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Epoch = Annotated[int, Field(ge=0)]
Size = tuple[Count, Count]  # (H, W)
Split = Literal["train", "val", "test"]


class Section(BaseModel):
    """A mapping of params.yaml: unknown keys forbidden, no conversion between types, unchangeable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
