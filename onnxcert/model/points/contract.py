"""The contract of a model of point clouds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, final

from onnxcert.errors import ContractError
from onnxcert.model.contract import Contract, natural, number, refused

CHANNELS: Final = ("xyz", "xyz+normals", "xyz+features", "xyz+normals+features")
FRAMES: Final = ("unit-sphere", "own")
MOST_POINTS: Final = 10_000_000
MOST_PASSES: Final = 100
CATEGORY: Final = "category"  # what --feed NAME=category asks for


@final
@dataclass(frozen=True)
class PointContract(Contract):
    """How to talk to a model of point clouds.

    Attributes:
        channels: what the values of a point are, in this order.
        features: how many further values a point has beside coordinates and normals; 0 where the
            channels name some and nobody has said how many.
        points: how many points the model takes or was made for, or None for any number.
        frame: `unit-sphere`: coordinates are centred at their mean and divided by the largest
            distance from it, once, before the noise; `own`: they are as the file holds them.
        categories: of shapes: (name, the classes its parts may have) pairs, in the order of the
            one-hot input.
        category_input: name of the graph input that takes the category as one-hot [B, K].
        restricted: whether a shape's points may only get classes of its category.
        passes: scores are averaged over so many fixed orders of the points.
        trained_rotation: noise on rotations that the model was trained with, in radians, or None.
    """

    medium: ClassVar[str] = "points"
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
        # 0 of them with channels that name some: the graph is still to say how many.
        if not 0 <= self.features <= 1024 or (self.features and "features" not in self.channels):
            raise ContractError(
                f"the channels {self.channels} do not go with {self.features} further features; "
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
                "restricting parts and several passes are for models that label each point, and "
                "this one classifies the whole shape; leave them out."
            )
        if self.passes > 1 and self.output_form == "labels":
            raise ContractError(
                "class indices cannot be averaged over several passes; export the scores, or leave "
                "--passes out."
            )
        self._check_categories()
        if self.trained_rotation is not None and not 0 <= self.trained_rotation < 1e6:
            raise ContractError(
                f"trained_rotation must be a number not below 0, got {self.trained_rotation}."
            )

    def _check_categories(self) -> None:
        names = [name for name, _ in self.categories]
        if len(set(names)) != len(names):
            raise ContractError(f"every category needs a name of its own, got {', '.join(names)}.")
        for name, parts in self.categories:
            largest = self.classes or max(parts, default=0) + 1
            if not parts or not all(0 <= part < largest for part in parts):
                raise ContractError(
                    f"the parts of the category {name!r} must be classes from 0 to {largest - 1}, "
                    f"got {list(parts)}."
                )
        if (self.restricted or self.category_input) and not self.categories:
            raise ContractError(
                "the model needs to know each shape's category, and nothing says which there are; "
                "pass --categories shapenet-part, or a file of lines `name class class ...`."
            )
        if self.restricted and (self.binary or self.output_form == "labels"):
            raise ContractError(
                f"parts can be restricted where scores of several classes are compared, not for an "
                f"output of {self.output_form}; leave --restrict-parts out."
            )

    @property
    def has_normals(self) -> bool:
        """Whether the model takes normals."""
        return "normals" in self.channels

    @property
    def network_channels(self) -> int:
        """Values of a point that the network gets."""
        return (6 if self.has_normals else 3) + self.features

    @property
    def needs_category(self) -> bool:
        """Whether the answer depends on the shape's category."""
        return bool(self.category_input) or self.restricted

    @property
    def declared_channels(self) -> int:
        """Rows of the array that is perturbed; the last tells the category if that is needed."""
        return self.network_channels + self.needs_category

    @property
    def trial_grids(self) -> tuple[tuple[int, ...], ...]:
        """The number of points that the model takes, or some that no number of classes is; [N]."""
        return ((self.points,),) if self.points is not None else ((1031,), (2048,))

    @classmethod
    def parse(cls, name: str, value: Any) -> Any:
        """Turn one JSON value into the field's type."""
        match name:
            case "features":
                return natural(name, value, zero=True)
            case "points":
                if not isinstance(value, int) or isinstance(value, bool):
                    raise refused(name, "a whole number", value)
                return value
            case "passes":
                return natural(name, value)
            case "restricted":
                if not isinstance(value, bool):
                    raise refused(name, "true or false", value)
                return value
            case "trained_rotation":
                return number(name, value)
            case "categories":
                return _categories(value)
            case _:
                return super().parse(name, value)


def _categories(value: Any) -> tuple[tuple[str, tuple[int, ...]], ...]:
    if not isinstance(value, list):
        raise refused("categories", "a list of [name, classes]", value)
    found = []
    for pair in value:
        if (
            not isinstance(pair, list)
            or len(pair) != 2
            or not isinstance(pair[0], str)
            or not isinstance(pair[1], list)
        ):
            raise refused("categories", "a list of [name, classes]", value)
        parts = tuple(natural("categories", part, zero=True) for part in pair[1])
        found.append((pair[0], parts))
    return tuple(found)
