"""What a model runs on, without the model: what is kept with its answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from onnxcert.model.segmenter import OnnxSegmenter


@dataclass(frozen=True)
class Runtime:
    """Where a model runs.

    Attributes:
        provider: execution provider of ONNX Runtime.
        version: of ONNX Runtime.
        generator: of the noise; see `onnxcert.draws.Draws`.
        device: `cpu` or `cuda:i`.
        threads: on the CPU.
        note: why it is not where it could be, else empty.
    """

    provider: str
    version: str
    generator: str
    device: str
    threads: int
    note: str = ""

    @classmethod
    def of(cls, segmenter: OnnxSegmenter) -> Self:
        """Where an open model runs."""
        session = segmenter.session
        return cls(
            session.provider,
            session.version,
            segmenter.backend.generator,
            session.device,
            session.threads,
            session.note,
        )

    @property
    def kind(self) -> tuple[str, str, str]:
        """What answers may depend on: votes of two kinds are never added up."""
        return self.provider, self.version, self.generator

    def __str__(self) -> str:
        return f"{self.provider} of ONNX Runtime {self.version} with the noise of {self.generator}"
