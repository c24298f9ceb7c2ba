"""The runtime of a model, as stored with its results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from onnxcert.model.segmenter import OnnxSegmenter


@dataclass(frozen=True)
class Runtime:
    """Execution provider, device and generator of a run.

    Attributes:
        provider: execution provider of ONNX Runtime.
        version: version of ONNX Runtime.
        generator: generator of the noise; see `onnxcert.sampling.draws.Draws`.
        device: `cpu` or `cuda:i`.
        threads: threads on the CPU.
        note: why an available GPU is not fully used, else empty.
    """

    provider: str
    version: str
    generator: str
    device: str
    threads: int
    note: str = ""

    @classmethod
    def of(cls, segmenter: OnnxSegmenter) -> Self:
        """Return the runtime of an open model."""
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
        """Properties that outputs may depend on; votes of different kinds are never added."""
        return self.provider, self.version, self.generator

    def __str__(self) -> str:
        return f"{self.provider} of ONNX Runtime {self.version} with the noise of {self.generator}"
