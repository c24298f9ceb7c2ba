"""Words of the guarantee for changes with few parameters; part of `onnxcert.statistics.guarantee`.

Stored records quote them: no character may change.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_EXACT: Final = "; not covered: an image that was stored after the change, in 8 bits or in float32"
_SATURATED: Final = f"{_EXACT}, or clipped by a saturated sensor"
_CLOUD: Final = "; not covered: a cloud that was stored after the change, in float32"


class ChangeWords(NamedTuple):
    """Words for the attack that a change of the input certifies against.

    Attributes:
        attack: with the fields part, size, and unit of the input.
        brief: the attack without size and conditions, with the field part.
    """

    attack: str
    brief: str


# By the perturbation's norm.
CHANGES: Final = {
    "exposure": ChangeWords(
        "every change of the exposure of {part} ({unit}) by at most {size}, up or down (in linear "
        f"light by the sRGB curve, continued above 1{_SATURATED})",
        "change of the exposure of {part}, up or down,",
    ),
    "gain": ChangeWords(
        "every change of the gain of {part} ({unit}) by at most {size}, up or down (one factor for "
        f"all values, without linear light{_SATURATED})",
        "change of the gain of {part}, up or down,",
    ),
    "brightness": ChangeWords(
        "every change of the brightness of {part} ({unit}) by at most {size}, up or down (one "
        f"number added to all values{_SATURATED})",
        "change of the brightness of {part}, up or down,",
    ),
    "contrast": ChangeWords(
        "every change of the contrast of {part} ({unit}) about mid-grey by at most {size}, up or "
        f"down (one factor for the differences of all values from 1/2{_SATURATED})",
        "change of the contrast of {part}, up or down,",
    ),
    "gamma": ChangeWords(
        "every change of the gamma of {part} ({unit}), from each value x to x^(2^d), for d of size "
        f"at most {{size}}, up or down (0 and 1 stay{_EXACT})",
        "change of the gamma of {part}, up or down,",
    ),
    "white balance": ChangeWords(
        "every change of the white balance of {part} ({unit}) by gains of its three channels whose "
        "L2 norm in stops is at most {size} (one factor 2^d for all values of a channel, without "
        f"linear light{_SATURATED})",
        "change of the white balance of {part} of L2 norm",
    ),
    "blur": ChangeWords(
        "every further blur of {part} ({unit}) by a kernel of variance at most {size} along each "
        "side (the discrete heat equation with reflecting borders, close to a Gaussian blur; "
        f"one-sided: a sharper image is not covered{_EXACT})",
        "further blur of {part}, of variance along each side",
    ),
    "scaling": ChangeWords(
        "every scaling of {part} ({unit}) about the origin by a factor 2^d, for d of size at most "
        f"{{size}}, up or down (one factor for all coordinates{_CLOUD})",
        "scaling of {part} about the origin, up or down,",
    ),
    "shift": ChangeWords(
        "every shift of {part} ({unit}) by one vector of L2 norm at most {size} (the same for all "
        f"points{_CLOUD})",
        "shift of {part} by a vector of L2 norm",
    ),
}
