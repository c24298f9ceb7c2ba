"""The number of draws of a quick trial, `--preset quick`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from onnxcert.api.presets import QUICK
from onnxcert.data import Listing
from onnxcert.errors import InputError, ParameterError
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.run.modality import select_modality
from onnxcert.sampling.tally import LARGEST_N
from onnxcert.statistics.settings import Settings

_MARGIN: Final = 1.2  # at the least n itself, only unanimous components are certified


def choose_quick_settings(
    segmenter: OnnxSegmenter,
    listing: Listing,
    keywords: Mapping[str, Any],
    n0: int,
    make_settings: Callable[[int], Settings],
) -> Settings:
    """Return settings with the least n that can certify the largest input, and 20 % more.

    The choice depends on the sizes of the inputs and the rule only, so it is fixed before the first
    draw, and the same keywords give it again.

    Args:
        segmenter: the model.
        listing: all inputs, also those of other shards.
        keywords: keywords of the rule, see `onnxcert.api.keywords.RuleKeywords`.
        n0: draws that choose the candidate.
        make_settings: returns the settings with n draws.

    Raises:
        ParameterError: n cannot be computed, because the rule has no such least n, or the number of
            components is not known before the first pass.
        InputError: no input can be read.
    """
    procedure, looks = keywords.get("procedure", "segcertify"), keywords.get("looks")
    if procedure != "segcertify" or looks not in (None, "auto"):
        option = "--looks" if procedure == "segcertify" else f"--procedure {procedure}"
        raise ParameterError(f"--preset {QUICK} cannot compute n for {option}; give --n.")
    if segmenter.classifies:
        components = 1
    elif segmenter.component.is_input_element:
        sizes, reasons = select_modality(segmenter.entry, listing, None).usable()
        if not sizes:
            raise InputError(
                f"none of {len(reasons)} inputs could be used; the first: "
                f"{next(iter(reasons.values()), 'there are no inputs')}"
            )
        components = max(sizes.values())
    else:
        raise ParameterError(
            f"--preset {QUICK} needs the number of {segmenter.component}, which is known only "
            "after a pass; give --n."
        )
    channels = segmenter.contract.declared_channels
    law_error = make_settings(n0).perturbation.law_error((channels, components))
    least = _find_least_n(n0, components, law_error, make_settings)
    return replace(make_settings(math.ceil(_MARGIN * least)), preset=QUICK)


def _find_least_n(
    n0: int, components: int, law_error: float, make_settings: Callable[[int], Settings]
) -> int:
    """Return the least n that can certify: double it until it can, then halve the interval."""
    low, high = n0 - 1, max(n0, 16)
    while not make_settings(high).can_certify(components, law_error):
        low, high = high, 2 * high
        if high > LARGEST_N:
            make_settings(low).check_feasible(components, law_error)
    while high - low > 1:
        middle = (low + high) // 2
        if make_settings(middle).can_certify(components, law_error):
            high = middle
        else:
            low = middle
    return high
