"""Whatever a pass is doing, signals end a run with its count kept and the status that they mean."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from drawing import write_pictures
from equal_runs import assert_equal_runs
from waiting import LIMIT

from onnxcert import ResultStore
from onnxcert.cli import run_command_line
from onnxcert.cli.interrupt import end_passes_on_signal, stop_on_signal
from onnxcert.model.runtime.passes import EndableSession, PassEnded, end_passes
from onnxcert.model.runtime.session import open_session

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")

LONG = 3600.0


@pytest.fixture(autouse=True)
def signals_are_heeded_and_no_pass_goes_on_for_ever() -> Iterator[None]:
    """Whoever runs the tests may have signals ignored: `nohup` does, and a shell's background."""
    before = {n: signal.signal(n, signal.SIG_DFL) for n in (signal.SIGHUP, signal.SIGTERM)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    late = threading.Event()
    bound = threading.Timer(LIMIT, lambda: (late.set(), end_passes()))
    bound.daemon = True
    bound.start()
    yield
    bound.cancel()
    for number, handler in before.items():
        signal.signal(number, handler)
    assert not late.is_set(), "no signal ended the pass"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    graphs.save(graphs.threshold(), tmp_path / "model.onnx")
    write_pictures(tmp_path / "pictures", 2)
    return tmp_path


def certify(place: Path, out: Path, threads: int) -> int:
    command = ("certify", place / "model.onnx", place / "pictures", "--sigma", "0.2", "--n", "60")
    more = ("--seed", "7", "--no-pictures", "--batch-size", "1", "--threads", threads, "--out", out)
    return run_command_line(list(map(str, (*command, *more))))


def endless() -> Callable[[], Any]:
    """A pass that never ends: a Loop without bound."""
    runtime = open_session(graphs.endless(), device="cpu", threads=1).runtime
    return lambda: runtime.run(None, {"image": np.zeros((1, 3, 4, 4), np.float32)})


def later(number: int) -> None:
    """Send a signal to this process while it goes on."""
    threading.Timer(0.1, signal.raise_signal, (number,)).start()


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_ends_a_pass_that_never_ends_and_the_count_is_kept(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, threads: int
) -> None:
    never, run, passes = endless(), EndableSession.run, 0

    def endless_at_last(session: EndableSession, *arguments: Any) -> Any:
        nonlocal passes
        passes += 1
        if passes < 60:
            return run(session, *arguments)
        if passes == 60:
            signal.raise_signal(first)
            later(signal.SIGTERM)
        with monkeypatch.context() as patch:
            patch.setattr(EndableSession, "run", run)
            return never()

    with monkeypatch.context() as patch:
        patch.setattr(EndableSession, "run", endless_at_last)
        assert certify(place, tmp_path / "out", threads) == 128 + first
    assert any((tmp_path / "out" / "partial").glob("[!.]*.h5"))
    assert certify(place, tmp_path / "out", 1) == 0
    assert certify(place, tmp_path / "whole", 1) == 0
    assert_equal_runs(tmp_path / "out", tmp_path / "whole")
    assert ResultStore(tmp_path / "out").names() == ["p0", "p1"]


def test_where_nothing_is_kept_one_signal_ends_the_pass() -> None:
    """As in `inspect`, and while the model is opened."""
    with pytest.raises(KeyboardInterrupt), end_passes_on_signal(1):  # noqa: PT012
        later(signal.SIGINT)
        endless()()
    with pytest.raises(PassEnded), end_passes_on_signal(1):  # noqa: PT012
        before = signal.signal(signal.SIGTERM, lambda *_: None)
        try:
            later(signal.SIGTERM)
            endless()()
        finally:
            signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(("more", "unwinding"), [([], 0.01), ([signal.SIGHUP], LONG)])
def test_what_does_not_end_soon_or_is_told_once_more_is_left(
    more: list[int], unwinding: float
) -> None:
    left: list[int] = []
    gone = threading.Event()

    def leave(status: int) -> None:
        left.append(status)
        gone.set()

    numbers = [signal.SIGTERM, signal.SIGTERM, *more]
    before = {number: signal.signal(number, lambda *_: None) for number in set(numbers)}
    try:
        with end_passes_on_signal(2, leave, unwinding):
            for number in numbers:
                signal.raise_signal(number)
            assert gone.wait(LIMIT)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert left == [128 + numbers[-1]]


def test_what_ends_in_time_is_not_left() -> None:
    left: list[int] = []
    with end_passes_on_signal(1, left.append, LONG):
        before = signal.signal(signal.SIGTERM, lambda *_: None)
        signal.raise_signal(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)
    assert left == []


def test_a_closed_terminal_does_not_stop_what_ignores_it() -> None:
    """`nohup` does nothing else."""

    class Run:
        stopping = False

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        run: Any = Run()
        with stop_on_signal(run) as came:
            signal.raise_signal(signal.SIGHUP)
            assert not run.stopping
            signal.raise_signal(signal.SIGTERM)
            assert run.stopping
            assert came == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGHUP, before)
