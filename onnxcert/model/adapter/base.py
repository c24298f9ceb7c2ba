"""The protocol of adapters: one modality's preprocessing, and the way from scores to components."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import onnx

from onnxcert._typing import FloatArray, IntArray, Perturbation
from onnxcert.model.contract.base import Contract
from onnxcert.model.graph.nodes import Nodes
from onnxcert.sampling.tally import Element

INPUT: Final = "onnxcert_input"


class Adapter(Protocol):
    """Preprocessing of one modality for one network, and postprocessing of its scores.

    `shape` is the shape of one declared input, without a batch axis. `front` adds the nodes before
    the network, which end in the graph input of the contract; `back` adds those after it.
    """

    @property
    def contract(self) -> Contract:
        """The contract of the model."""

    @property
    def unit(self) -> str:
        """The unit of the declared input, as text."""

    @property
    def element(self) -> Element:
        """What is labelled, unless the model classifies."""

    @property
    def remedy(self) -> str:
        """Advice for an input on which the network fails, as text."""

    @property
    def description(self) -> str:
        """The preprocessing and its sources, in one line."""

    @property
    def averaged(self) -> str:
        """What scores are averaged over, as text; empty for none."""

    def as_dict(self) -> dict[str, Any]:
        """Return the options beside the contract, as JSON values by option name."""

    def values(self, shape: tuple[int, ...]) -> int:
        """Return the number of values that the network gets for one input."""

    def describe(self, shape: tuple[int, ...]) -> str:
        """Describe inputs of this shape as text."""

    def preprocess(self, given: Any) -> Any:
        """Preprocess the content of an input file, once and before any noise."""

    def to_array(self, prepared: Any) -> FloatArray:
        """Return the array that noise is added to: float32, contiguous.

        Raises:
            InputError: It is not a valid input of this model.
        """

    def check(self, shape: tuple[int, ...], path: Path) -> None:
        """Raise ModelError unless the network of `path` can take an input of this shape."""

    def check_noise(self, x: FloatArray, noisy: FloatArray, perturbation: Perturbation, /) -> None:
        """Raise ParameterError if the noise changed channels that must stay, or needs missing ones.

        Args:
            x: A declared input.
            noisy: One noisy copy of it.
            perturbation: The perturbation that made it.
        """

    def score_grid(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the grid of scores that needs no resize to the components; None for any grid."""

    def grid(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the grid of the components as the network sees them."""

    def label_grid(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the grid of the labels, or None if it is the model's own."""

    def inputs(self, rows: int | str) -> list[onnx.ValueInfoProto]:
        """Return the inputs of the graph: `INPUT`, and those of `feeds`."""

    def feeds(self, shape: tuple[int, ...]) -> dict[str, IntArray]:
        """Return the values of the inputs other than `INPUT`."""

    def front(self, nodes: Nodes, inputs: Mapping[str, onnx.ValueInfoProto], /) -> str:
        """Add nodes from `INPUT` to the network's inputs; return the name of what it sees.

        Args:
            nodes: Where to add them.
            inputs: The network's inputs by name.
        """

    def back(self, nodes: Nodes, scores: str, seen: str, other_size: bool, /) -> tuple[str, str]:
        """Add nodes from scores [B, C, *grid] of the network to scores of the components.

        Args:
            nodes: Where to add them.
            scores: Name of the network's scores.
            seen: The value that `front` returned.
            other_size: Whether the grid of the scores differs from that of the input.

        Returns:
            The scores of the components, and a copy with minus infinity for excluded classes.
        """
