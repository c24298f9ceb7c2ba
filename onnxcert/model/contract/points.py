"""The contract of a model of point clouds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, final

from onnxcert.errors import ContractError
from onnxcert.model.contract.base import Contract, check_natural, check_number, field_error
from onnxcert.model.contract.modality import Modality

CHANNELS: Final = ("xyz", "xyz+normals", "xyz+features", "xyz+normals+features")
FRAMES: Final = ("unit-sphere", "own")
MOST_POINTS: Final = 10_000_000
MOST_PASSES: Final = 100
CATEGORY: Final = "category"  # value of --feed NAME=category


@final
@dataclass(frozen=True)
class PointContract(Contract):
    """Contract of a model of point clouds.

    Attributes:
        channels: meaning of the values of a point, in order.
        features: number of further values of a point besides coordinates and normals; 0 if the
            channels have some but their number is unknown.
        points: number of points that the model takes or was made for; None for any number.
        frame: `unit-sphere`: coordinates are centred at their mean and divided by the largest
            distance from it, once, before the noise; `own`: they are as in the file.
        categories: (name, classes of its parts) of each shape category, in the order of the one-hot
            input.
        category_input: name of the graph input that takes the category as one-hot [B, K].
        restricted: whether the points of a shape may only get classes of its category.
        passes: number of fixed orders of the points over which scores are averaged.
        trained_rotation: sigma of the rotations in training, in radians, or None.
    """

    modality: ClassVar[Modality] = Modality.POINTS
    layouts: ClassVar[tuple[str, ...]] = ("BCN", "BNC")
    single_layouts: ClassVar[tuple[str, ...]] = ("CN", "NC", "N", "C")
    ranks: ClassVar[tuple[int, ...]] = (1, 2, 3)
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float16", "float64")

    layout: str = "BCN"
    output_layout: str = "BCN"
    output_rank: int = 3
    channels: str = "xyz"
    features: int = 0
    points: int | None = None
    frame: str = "unit-sphere"
    categories: tuple[tuple[str, tuple[int, ...]], ...] = ()
    category_input: str = ""
    restricted: bool = False
    passes: int = 1
    trained_rotation: float | None = None

    def __post_init__(self) -> None:
        self.check_choices(channels=CHANNELS, frame=FRAMES)
        super().__post_init__()
        # 0 with channels that have features: the graph still has to define the number.
        if not 0 <= self.features <= 1024 or (self.features and "features" not in self.channels):
            raise ContractError(
                f"the channels {self.channels} do not fit {self.features} further features; "
                "correct the contract."
            )
        if self.points is not None and not 1 <= self.points <= MOST_POINTS:
            raise ContractError(
                f"the number of points must be from 1 to {MOST_POINTS}, got {self.points}."
            )
        if not 1 <= self.passes <= MOST_PASSES:
            raise ContractError(f"passes must be from 1 to {MOST_PASSES}, got {self.passes}.")
        if self.classifies and (self.restricted or self.passes > 1):
            raise ContractError(
                "restricted parts and several passes need a model that labels each point, but this "
                "one classifies the whole shape; omit them."
            )
        if self.passes > 1 and self.output_form == "labels":
            raise ContractError(
                "class indices cannot be averaged over several passes; export the scores, or omit "
                "--passes."
            )
        self._check_categories()
        if self.trained_rotation is not None and not 0 <= self.trained_rotation < 1e6:
            raise ContractError(f"trained_rotation must be 0 or more, got {self.trained_rotation}.")

    def _check_categories(self) -> None:
        names = [name for name, _ in self.categories]
        if len(set(names)) != len(names):
            raise ContractError(f"category names must be unique, got {', '.join(names)}.")
        for name, parts in self.categories:
            largest = self.classes or max(parts, default=0) + 1
            if not parts or not all(0 <= part < largest for part in parts):
                raise ContractError(
                    f"the parts of the category {name!r} must be classes from 0 to {largest - 1}, "
                    f"got {list(parts)}."
                )
        if (self.restricted or self.category_input) and not self.categories:
            raise ContractError(
                "the model needs each shape's category, but its categories are unknown; pass "
                "--categories shapenet-part, or a file of lines `name class class ...`."
            )
        if self.restricted and (self.binary or self.output_form == "labels"):
            raise ContractError(
                f"restricted parts need scores of several classes, got an output of "
                f"{self.output_form}; omit --restrict-parts."
            )

    @property
    def has_normals(self) -> bool:
        """Whether the model takes normals."""
        return "normals" in self.channels

    @property
    def network_channels(self) -> int:
        """Number of values per point in the network's input."""
        return (6 if self.has_normals else 3) + self.features

    @property
    def needs_category(self) -> bool:
        """Whether the output depends on the shape's category."""
        return bool(self.category_input) or self.restricted

    @property
    def declared_channels(self) -> int:
        """Number of rows of the declared input; the last row is the category if it is needed."""
        return self.network_channels + self.needs_category

    @property
    def trial_grids(self) -> tuple[tuple[int, ...], ...]:
        """Grids [N] to try: the model's number of points, or numbers that no class count has."""
        return ((self.points,),) if self.points is not None else ((1031,), (2048,))

    @classmethod
    def parse(cls, name: str, value: Any) -> Any:
        """Parse one JSON value into the field's type."""
        match name:
            case "features":
                return check_natural(name, value, zero=True)
            case "points":
                if not isinstance(value, int) or isinstance(value, bool):
                    raise field_error(name, "a whole number", value)
                return value
            case "passes":
                return check_natural(name, value)
            case "restricted":
                if not isinstance(value, bool):
                    raise field_error(name, "true or false", value)
                return value
            case "trained_rotation":
                return check_number(name, value)
            case "categories":
                return _categories(value)
            case _:
                return super().parse(name, value)


def _categories(value: Any) -> tuple[tuple[str, tuple[int, ...]], ...]:
    if not isinstance(value, list):
        raise field_error("categories", "a list of [name, classes]", value)
    found = []
    for pair in value:
        if (
            not isinstance(pair, list)
            or len(pair) != 2
            or not isinstance(pair[0], str)
            or not isinstance(pair[1], list)
        ):
            raise field_error("categories", "a list of [name, classes]", value)
        parts = tuple(check_natural("categories", part, zero=True) for part in pair[1])
        found.append((pair[0], parts))
    return tuple(found)
