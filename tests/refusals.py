"""Every refusal is one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from onnxcert.errors import OnnxcertError


@contextmanager
def one_sentence(
    error: type[OnnxcertError], match: str | None = None
) -> Iterator[pytest.ExceptionInfo[OnnxcertError]]:
    """Do what `pytest.raises` does, and require that the message is one sentence."""
    with pytest.raises(error, match=match) as caught:
        yield caught
    said = str(caught.value)
    assert "\n" not in said
    assert said.endswith(".")
