"""Every refusal is one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from onnxcert.errors import InputError, OnnxcertError


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


def refused_input(path: Path, read: Callable[[], object]) -> str:
    """Return the sentence with which `read` refuses a file: its path and what was expected."""
    with one_sentence(InputError) as caught:
        read()
    message = str(caught.value)
    assert message.startswith(f"{path}: expected ")
    return message
