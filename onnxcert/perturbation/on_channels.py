"""Another perturbation, applied to some channels of the input only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple, final

import numpy as np
from array_api_compat import array_namespace

from onnxcert._typing import Array, FloatArray, Noise, Perturbation
from onnxcert.errors import ParameterError
from onnxcert.perturbation.blur import Blur
from onnxcert.perturbation.exposure import Exposure
from onnxcert.perturbation.gaussian import Gaussian
from onnxcert.perturbation.placing import Scaling, Shift
from onnxcert.perturbation.rotation import AxisRotation, Rotation
from onnxcert.perturbation.tone import Brightness, Contrast, Gain, Gamma, WhiteBalance
from onnxcert.sampling.backend import Backend

PLAIN: Final[dict[str, type[Perturbation]]] = {
    p.name: p
    for p in (
        *(Gaussian, Rotation, AxisRotation),
        *(Exposure, Gain, Brightness, Contrast, Gamma, WhiteBalance, Blur, Scaling, Shift),
    )
}


_LONGEST: Final = 60


class PreparedInput(NamedTuple):
    """An input, and its perturbed channels, prepared by the perturbation on them."""

    whole: Array
    channels: Any


@final
@dataclass(frozen=True)
class OnChannels:
    """The perturbation `of` on the channels start .. stop - 1 of axis 0; the others are unchanged.

    The guarantee is that of `of` for an input of these channels alone, with the others as
    constants of the model. So only attacks on these channels are ruled out.

    Args:
        of: the perturbation, or its ``{"perturbation": name, ...}`` from `parameters`.
        start: the first channel, at least 0.
        stop: the channel after the last, above start.
        called: the name of these channels, such as ``the coordinates``.
        left_out: channels between start and stop that are not perturbed, in increasing order.

    Raises:
        ParameterError: the channels are not a range, `left_out` is not within it, a rotation needs
            other channels, or `of` is not a perturbation or is `OnChannels`.

    >>> from onnxcert.perturbation import Gaussian
    >>> OnChannels(Gaussian(0.25), 0, 7, "red and blue", (1, 2, 3, 4, 5)).channels
    [0, 6]
    """

    name: ClassVar[str] = "on-channels"
    of: Perturbation
    start: int
    stop: int
    called: str = ""
    left_out: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        of: object = self.of
        if isinstance(of, Mapping):
            of = _build_perturbation(of)
        if type(of) not in PLAIN.values():
            raise ParameterError(
                f"channels are perturbed by one of {', '.join(PLAIN)}, got {of!r}."
            )
        object.__setattr__(self, "of", of)
        whole = all(
            isinstance(k, int | np.integer) and not isinstance(k, bool)
            for k in (self.start, self.stop)
        )
        if not whole or not 0 <= self.start < self.stop:
            raise ParameterError(
                f"the channels perturbed must be start to stop - 1 with 0 <= start < stop, got "
                f"start {self.start} and stop {self.stop}."
            )
        if not isinstance(self.called, str) or not (
            self.called.isprintable() and len(self.called) <= _LONGEST
        ):
            raise ParameterError(
                f"called must be the channels' name, of at most {_LONGEST} characters in one line, "
                f"got {self.called!r}."
            )
        left_out: Any = self.left_out
        if not isinstance(left_out, tuple | list) or list(left_out) != sorted(
            {k for k in left_out if type(k) is int and self.start < k < self.stop - 1}
        ):
            raise ParameterError(
                f"channels left out must lie between {self.start} and {self.stop - 1}, in "
                f"increasing order, got {left_out!r}."
            )
        object.__setattr__(self, "left_out", tuple(left_out))
        turned = 3 * int(self.of.parameters().get("vectors", 0))
        if turned and (self.left_out or self.stop - self.start != turned):
            raise ParameterError(
                f"{self.of.name} rotates {turned} channels, but channels {self.start} to "
                f"{self.stop - 1} are {len(self.channels)}; give exactly the channels to rotate."
            )

    @property
    def sigma(self) -> float:
        return self.of.sigma

    @property
    def norm(self) -> str:
        return self.of.norm

    @property
    def unit(self) -> str:
        return self.of.unit

    @property
    def formula(self) -> str:
        return self.of.formula

    @property
    def channels(self) -> list[int]:
        """Channels that are perturbed, in increasing order."""
        return [k for k in range(self.start, self.stop) if k not in self.left_out]

    def parameters(self) -> dict[str, Any]:
        return {
            "of": {"perturbation": self.of.name, **self.of.parameters()},
            "start": int(self.start),
            "stop": int(self.stop),
            "called": self.called,
            **({"left_out": list(self.left_out)} if self.left_out else {}),
        }

    def check(self, x: FloatArray) -> None:
        """Raise ParameterError if `x` lacks these channels, or they cannot hold the noise."""
        if x.ndim < 1 or x.shape[0] < self.stop:
            raise ParameterError(
                f"noise on channel {self.stop - 1} needs an input with at least {self.stop} "
                f"channels first, got the shape {list(x.shape)}."
            )
        self.of.check(self._select(x))

    def law_error(self, shape: tuple[int, ...]) -> float:
        """Return the law error of the perturbation on the channels."""
        return self.of.law_error((len(self.channels), *shape[1:]))

    def prepare(self, x: Array, backend: Backend) -> PreparedInput:
        return PreparedInput(x, self.of.prepare(self._select(x), backend))

    def perturb(self, x: Array | PreparedInput, noise: Noise, out: Array) -> None:
        """Write x with these channels perturbed into each row of `out`."""
        if not isinstance(x, PreparedInput):
            x = PreparedInput(x, self._select(x))
        out[:, : self.start] = x.whole[: self.start]
        out[:, self.stop :] = x.whole[self.stop :]
        if not self.left_out:
            self.of.perturb(x.channels, noise, out[:, self.start : self.stop])
            return
        # Draw the noise once for all channels side by side: one call uses up the stream.
        xp = array_namespace(out)
        beside = xp.empty((out.shape[0], len(self.channels), *out.shape[2:]), dtype=out.dtype)
        self.of.perturb(x.channels, noise, beside)
        for place, channel in enumerate(self.channels):
            out[:, channel] = beside[:, place]
        for channel in self.left_out:
            out[:, channel] = x.whole[channel]

    def radius(self, tau: float) -> float:
        return self.of.radius(tau)

    def _select(self, x: Array) -> Array:
        """Return the perturbed channels of `x`, side by side."""
        if not self.left_out:
            return x[self.start : self.stop]
        return array_namespace(x).stack([x[channel] for channel in self.channels])


def _build_perturbation(parameters: Mapping[str, Any]) -> Perturbation:
    name = parameters.get("perturbation")
    if not isinstance(name, str) or name not in PLAIN:
        raise ParameterError(f"channels are perturbed by one of {', '.join(PLAIN)}, got {name!r}.")
    return PLAIN[name](**{k: v for k, v in parameters.items() if k != "perturbation"})
