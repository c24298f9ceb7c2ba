"""A radius as text is never more than the radius."""

from __future__ import annotations

import math
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from onnxcert.statistics.guarantee import round_down


@given(st.floats(1e-12, 1e12))
def test_four_digits_that_are_not_above_it_and_not_far_below(radius: float) -> None:
    shown = Decimal(round_down(radius))
    assert shown <= Decimal(radius) < shown * Decimal("1.001") + Decimal("1e-300")
    assert len(shown.normalize().as_tuple().digits) <= 4


@given(st.integers(1000, 9999), st.integers(-8, 8))
def test_just_below_four_digits_is_three_digits_less_one(digits: int, exponent: int) -> None:
    """Where a factor for rounding used to lift it above itself."""
    written = Decimal(digits).scaleb(exponent)
    below = float(written)
    while Decimal(below) >= written:
        below = math.nextafter(below, 0.0)
    assert Decimal(round_down(below)) == Decimal(digits - 1).scaleb(exponent) or digits == 1000
    assert Decimal(round_down(below)) < written


def test_nothing_is_nothing() -> None:
    assert round_down(0.0) == "0"
    assert round_down(180.0) == "180"
