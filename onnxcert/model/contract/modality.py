"""The kinds of input: images and points."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Modality(StrEnum):
    """Kind of input; the values are those that contracts and records store.

    Attributes:
        inputs: The inputs, as text.
        whole: One input.
        noise_unit: The unit of sigma.
        usual_sigma: Example of a sigma.
    """

    inputs: str
    whole: str
    noise_unit: str
    usual_sigma: str

    IMAGE = "picture", "images", "picture", "pixels in [0, 1]", "0.25"
    POINTS = "points", "points", "shape", "the unit of the points", "0.05"

    def __new__(cls, value: str, *words: str) -> Self:
        """Return the member called `value`, with its attributes in order."""
        self = str.__new__(cls, value)
        self._value_ = value
        self.inputs, self.whole, self.noise_unit, self.usual_sigma = words
        return self
