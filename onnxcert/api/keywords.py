"""Keywords of the public functions, by subject; they have the names of the command line.

A keyword is the name of the long option with underscores in place of hyphens. Functions have the
most used ones in their signature and take the others as ``**keywords: Unpack[...]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Literal, ParamSpec, TypedDict, TypeVar

from onnxcert._typing import Perturbation
from onnxcert.statistics.rule import AlphaScope, Budget

P = ParamSpec("P")
R = TypeVar("R")

Name = str | PathLike[str]  # of a file


class RuleKeywords(TypedDict, total=False):
    """What turns votes into certificates; fixed before the first draw.

    `tau` is a number or several, `budget` a number of components or a share such as ``"0.1%"``,
    `looks` ``"auto"`` or numbers of draws. See `onnxcert.statistics.rule.Rule`.
    """

    tau: float | Sequence[float] | None
    alpha: float
    alpha_scope: AlphaScope
    correction: str | None
    budget: str | int | Budget | None
    procedure: str
    radius_map: bool
    floor: float
    looks: Sequence[int] | Literal["auto"] | None
    spending: str


class NoiseKeywords(TypedDict, total=False):
    """The noise, and with it the attack that is certified against.

    `perturbation` is a perturbation or its name; the default is Gaussian noise on the pixels or
    coordinates. `sigma` is the standard deviation in the unit of the perturbation. The default of
    Gaussian noise and rotations is that of the training noise.
    """

    perturbation: Perturbation | str | None
    sigma: float | None
    on: str | None
    axis: str | None
    radius: str | None


class StoppingKeywords(TypedDict, total=False):
    """Reasons to stop at an interim look; `time` in seconds for each input."""

    until: float | None
    futility: float | None
    time: float | None


class FieldKeywords(TypedDict, total=False):
    """Fields of the model's contract that its file does not give.

    See `onnxcert.model.contract.image.ImageContract` and `.points.PointContract`.
    """

    channel_order: str
    channels_are: str
    bands: Sequence[str]
    value_range: Sequence[float]
    mean: Sequence[float]
    std: Sequence[float]
    normalise: str
    input: str
    feeds: Any
    channels: str
    points: int
    frame: str
    categories: Any
    restricted: bool
    passes: int
    output: str
    output_layout: str
    output_form: str
    threshold: float
    trained_sigma: float


class AxisKeywords(TypedDict, total=False):
    """Contract fields by the names of the command line; `range` is `value_range`.

    In `onnxcert.certify` the same names belong to an image in memory, see there.
    """

    layout: str
    range: Sequence[float]
    classes: int


class ContractKeywords(FieldKeywords, AxisKeywords, total=False):
    """The model's contract."""


class RuntimeKeywords(TypedDict, total=False):
    """How the model runs: preprocessing that is part of it, device and threads."""

    scales: Sequence[float] | None
    flip: bool
    tile: tuple[int, int] | Literal["model"] | None
    overlap: int | tuple[int, int] | None
    scale: float
    size: tuple[int, int] | None
    resize: bool
    pad_to: int | None
    grid: str
    fill: bool
    fit: Any
    device: str
    threads: int


class ModelKeywords(ContractKeywords, RuntimeKeywords, total=False):
    """All that opens a model."""


class NameKeywords(TypedDict, total=False):
    """Names of the classes, or a file with one a line, if the model does not give them."""

    class_names: Sequence[str] | Name


class LoadKeywords(ModelKeywords, NameKeywords, total=False):
    """Keywords of `onnxcert.load`."""


class InputKeywords(TypedDict, total=False):
    """Which files are certified, and their labels."""

    labels: Name | None
    labels_pattern: str | None
    dataset: str | None
    ignore_label: int | Sequence[int] | None
    palette: Name | None
    label_map: str | None
    class_names: Sequence[str] | Name | None
    columns: str | None
    category: str | None
    limit: int | None
    every: int | None


class WorkerKeywords(TypedDict, total=False):
    """How a run is distributed over processes and machines."""

    shard: str | None
    workers: int | None
    ray: bool
    ray_address: str | None


class OneKeywords(RuleKeywords, StoppingKeywords, FieldKeywords, RuntimeKeywords, total=False):
    """Keywords of `onnxcert.certify` beside those in its signature."""


class PlanKeywords(RuleKeywords, NoiseKeywords, ModelKeywords, total=False):
    """Keywords of `onnxcert.plan` beside those in its signature."""


class RunKeywords(
    RuleKeywords,
    NoiseKeywords,
    StoppingKeywords,
    ModelKeywords,
    InputKeywords,
    WorkerKeywords,
    total=False,
):
    """Keywords of `onnxcert.certify_many` beside those in its signature."""


def select_keywords(keywords: Mapping[str, Any], *kinds: Any) -> dict[str, Any]:
    """Return those of `keywords` that are keywords of one of `kinds`, classes of this module."""
    names = {name for kind in kinds for name in kind.__annotations__}
    return {name: value for name, value in keywords.items() if name in names}
