"""The message about settings that a model still needs, with the command line that sets them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from onnxcert.cli.options.noise import NoiseOptions
from onnxcert.cli.options.runtime import RunningOptions
from onnxcert.data import Listing, read_usable_sizes
from onnxcert.errors import OnnxcertError
from onnxcert.model.contract.base import ASSUMED
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.question import MissingSetting, MissingSettings


def format_questions(error: MissingSettings, arguments: Sequence[str]) -> Iterator[str]:
    """Yield the sentence, the meaning of each option, and the command line with all choices.

    Args:
        error: The missing settings.
        arguments: Arguments of the command that was refused.
    """
    yield error.sentence
    for question in error.questions:
        yield f"  {question.flag}: {question.meaning}"
    contract = error.contract
    if isinstance(contract, ImageContract) and contract.sources.get("channel_order") == ASSUMED:
        order, other = contract.channel_order, contract.channel_order[::-1]
        yield f"  assumed: the channels are {order}; pass --channel-order {other} if they are not"
    flags = shlex.join(word for question in error.questions for word in _arguments(question))
    several = any(len(question.values) > 1 for question in error.questions)
    yield f"  complete command{' (keep one of the values separated by |)' if several else ''}:"
    yield f"  onnxcert {shlex.join(arguments)} {flags}"


def _arguments(question: MissingSetting) -> list[str]:
    # Several values are joined by |; `shlex.join` quotes them, so that no shell reads a pipe.
    return [question.flag, *(["|".join(question.values)] if question.values else [])]


def add_run_settings(
    error: MissingSettings, noise: NoiseOptions, running: RunningOptions, listing: Listing
) -> MissingSettings:
    """Add to `error` the settings that a run needs besides the contract: noise and input size."""
    contract, more = error.contract, []
    if contract is None:
        return error
    if noise.sigma(contract) is None:
        unit = "the unit of the points" if contract.modality == "points" else "pixels in [0, 1]"
        example = "0.05" if contract.modality == "points" else "0.25"
        text = "the noise that the model was trained with is unknown; pass --sigma SIGMA"
        meaning = f"standard deviation of the noise, in {unit}, for example {example}"
        more.append(MissingSetting(text, flag="--sigma", values=("SIGMA",), meaning=meaning))
    if isinstance(contract, ImageContract) and contract.size is not None:
        fit = running.values
        size = _read_first_size(listing, contract)
        given = fit["resize"] or fit["size"] or fit["tile"] or fit["scales"] or contract.usual_size
        if size not in (None, contract.size) and not given:
            height, width = contract.size
            text = f"the model takes only images of {height}x{width} pixels; pass --resize"
            meaning = (
                f"resize images to {height}x{width}, the only size that the model takes; or pass "
                "--tile model to split larger images into tiles"
            )
            more.append(MissingSetting(text, flag="--resize", meaning=meaning))
    return error.with_questions(*more)


def _read_first_size(listing: Listing, contract: ImageContract) -> tuple[int, int] | None:
    """Return (height, width) of the first input, or None if it cannot be read."""
    try:
        sizes, _ = read_usable_sizes(replace(listing, items=listing.items[:1]), contract.bands)
    except OnnxcertError:  # the run reports it
        return None
    return next(iter(sizes.values()), None)
