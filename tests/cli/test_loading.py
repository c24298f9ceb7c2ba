"""What takes long says so, and what does not is silent."""

from __future__ import annotations

import pytest

from onnxcert.cli.options.runtime import print_if_slow


def test_only_what_takes_long_is_announced(capsys: pytest.CaptureFixture[str]) -> None:
    with print_if_slow("opening street.onnx ...", after=0.0) as timer:
        timer.join()
    assert capsys.readouterr().err == "opening street.onnx ...\n"
    with pytest.raises(ZeroDivisionError), print_if_slow("opening it ...", after=1e6) as timer:
        _ = 1 / 0
    assert timer.finished.is_set()  # ended with what it was for
    assert capsys.readouterr().err == ""
