"""Words of the guarantee for changes with few parameters; part of `onnxcert.statistics.guarantee`.

Stored records quote them: no character may change.
"""

from __future__ import annotations

from typing import Final

_SATURATED: Final = (
    "; not covered: an image that was stored after the change, in 8 bits or in float32, or clipped "
    "by a saturated sensor"
)
_CLOUD: Final = "; not covered: a cloud that was stored after the change, in float32"

# The attack by the perturbation's norm, with the fields part, size, and unit of the input.
CHANGES: Final[dict[str, str]] = {
    "exposure": (
        "every change of the exposure of {part} ({unit}) by at most {size}, up or down (in linear "
        f"light by the sRGB curve, continued above 1{_SATURATED})"
    ),
    "gain": (
        "every change of the gain of {part} ({unit}) by at most {size}, up or down (one factor for "
        f"all values, without linear light{_SATURATED})"
    ),
    "brightness": (
        "every change of the brightness of {part} ({unit}) by at most {size}, up or down (one "
        f"number added to all values{_SATURATED})"
    ),
    "contrast": (
        "every change of the contrast of {part} ({unit}) about mid-grey by at most {size}, up or "
        f"down (one factor for the differences of all values from 1/2{_SATURATED})"
    ),
    "gamma": (
        "every change of the gamma of {part} ({unit}), from each value x to x^(2^d), for d of size "
        f"at most {{size}}, up or down (0 and 1 stay{_SATURATED})"
    ),
    "white balance": (
        "every change of the white balance of {part} ({unit}) by gains of its three channels whose "
        "L2 norm in stops is at most {size} (one factor 2^d for all values of a channel, without "
        f"linear light{_SATURATED})"
    ),
    "blur": (
        "every further blur of {part} ({unit}) by a kernel of variance at most {size} along each "
        "side (of the values, without linear light, by the discrete heat equation with reflecting "
        "borders, close to a Gaussian blur; one-sided: a sharper image is not covered"
        f"{_SATURATED})"
    ),
    "scaling": (
        "every scaling of {part} ({unit}) about the origin by a factor 2^d, for d of size at most "
        f"{{size}}, up or down (one factor for all coordinates{_CLOUD})"
    ),
    "shift": (
        "every shift of {part} ({unit}) by one vector of L2 norm at most {size} (the same for all "
        f"points{_CLOUD})"
    ),
}
