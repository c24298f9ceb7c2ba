"""A look that has nothing to spend certifies nothing, however many votes there are."""

from __future__ import annotations

import pytest

from onnxcert.statistics import boundaries
from onnxcert.statistics.spending import cumulative


@pytest.mark.parametrize("selection", ["split", "pooled"])
def test_a_tail_that_underflows_does_not_fit_into_nothing(selection: str) -> None:
    looks, level = (2000, 100_000), 1e-9
    assert cumulative("obrien-fleming", looks, level)[0] == 0.0
    bounds = boundaries(looks, [0.5], level, selection, "obrien-fleming")[0]  # type: ignore[arg-type]
    assert bounds[0] > looks[0]
    assert bounds[1] < looks[1]
