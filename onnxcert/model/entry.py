"""What differs between kinds of input: the way into the network, and back to the components."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import onnx

from onnxcert._typing import FloatArray, IntArray, Perturbation
from onnxcert.model.contract import Contract
from onnxcert.model.nodes import Nodes

INPUT: Final = "onnxcert_input"


class Entry(Protocol):
    """The way of one kind of input into one network, and of its scores back.

    `shape` is always that of one declared input, without a batch axis. The graph around the
    network is made of `front`, which ends in the graph input of the contract, and `back`.
    """

    @property
    def contract(self) -> Contract:
        """How to talk to the model."""
        ...

    @property
    def unit(self) -> str:
        """The unit of the declared input, in words."""
        ...

    @property
    def whole(self) -> str:
        """What one input is, in words: `picture`."""
        ...

    @property
    def parts(self) -> str:
        """What the components are, in words: `pixels`."""
        ...

    @property
    def remedy(self) -> str:
        """What may help where the network fails on an input, in words."""
        ...

    @property
    def said(self) -> str:
        """How inputs reach the network, and who said so, in one line."""
        ...

    @property
    def averaged(self) -> str:
        """What scores are a mean of beside what the contract says, in words, or nothing."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """What is asked for beside the contract, as JSON values by option name."""
        ...

    def values(self, shape: tuple[int, ...]) -> int:
        """How many values the network gets for one input."""
        ...

    def described(self, shape: tuple[int, ...]) -> str:
        """Inputs of this shape, in words."""
        ...

    def prepared(self, given: Any) -> Any:
        """An input as a file holds it, brought to what is certified, once and before any noise."""
        ...

    def declared(self, prepared: Any) -> FloatArray:
        """The array that is perturbed: float32, contiguous.

        Raises:
            InputError: it is no input of this model.
        """
        ...

    def check(self, shape: tuple[int, ...], path: Path) -> None:
        """Raise ModelError unless an input of this shape reaches the network of `path`."""
        ...

    def check_noise(self, x: FloatArray, noisy: FloatArray, perturbation: Perturbation, /) -> None:
        """Raise ParameterError if the noise reached what must stay as it is, or speaks of what is
        not there.

        Args:
            x: a declared input. noisy: what the perturbation made of it once.
        """
        ...

    def scored(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """Grid of the scores that belong to the components as they are; None for any grid."""
        ...

    def grid(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Grid of the components as the network sees them."""
        ...

    def labelled(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """Grid of the labels, or None where it is the model's own."""
        ...

    def inputs(self, rows: int | str) -> list[onnx.ValueInfoProto]:
        """Inputs of the graph: `INPUT`, and what `feeds` gives."""
        ...

    def feeds(self, shape: tuple[int, ...]) -> dict[str, IntArray]:
        """Values of the inputs beside `INPUT`."""
        ...

    def front(self, nodes: Nodes, inputs: Mapping[str, onnx.ValueInfoProto], /) -> str:
        """Nodes from `INPUT` to the network's inputs; the name of what the network sees of it.

        Args:
            inputs: the network's inputs by name.
        """
        ...

    def back(self, nodes: Nodes, scores: str, seen: str, other_size: bool, /) -> tuple[str, str]:
        """Nodes from scores [B, C, *grid] of the network to those of the components.

        Args:
            seen: what `front` returned.
            other_size: the scores come out on another grid than went in.

        Returns:
            The scores of the components, and the same with minus infinity for classes ruled out.
        """
        ...
