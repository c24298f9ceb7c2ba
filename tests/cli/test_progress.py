"""What the progress bar says of a run of many inputs."""

from __future__ import annotations

import io
import itertools

import pytest
from rich.console import Console

from onnxcert.cli.progress_bar import ProgressBar


class Bar(ProgressBar):
    """A bar with a clock that tests set."""

    def __init__(self, inputs: int, passes: int) -> None:
        self.now = 50.0
        super().__init__(Console(file=io.StringIO()), str, lambda: self.now)
        self.begin(inputs, passes)

    def seconds_left(self) -> float | None:
        return self._progress.tasks[0].time_remaining

    def draws_per_second(self) -> float | None:
        return self._progress.tasks[0].speed


def test_the_time_left_is_right_where_every_input_takes_the_same() -> None:
    bar = Bar(10_000, 100)
    for place in range(1, 301):
        bar.advance("", place, 0)
        for done in range(10, 101, 10):
            bar.now += 0.01
            bar.advance("", place, done)
            if place > 5:
                left = (10_000 - place) * 0.1 + (100 - done) * 0.001
                assert bar.seconds_left() == pytest.approx(left, rel=0.02)
        bar.advance("", place, 100)  # told again that it is kept
    assert bar.draws_per_second() == pytest.approx(1000, rel=0.01)


def test_inputs_that_were_finished_before_do_not_make_the_rest_look_fast() -> None:
    bar = Bar(1000, 100)
    for place in range(1, 901):
        bar.now += 0.001
        bar.advance("", place, 100)
    assert bar.seconds_left() is None
    for place in (901, 902):
        bar.advance("", place, 0)
        for done in (50, 100):
            bar.now += 1.0
            bar.advance("", place, done)
        bar.advance("", place, 100)
    assert bar.seconds_left() == pytest.approx(98 * 2.0)


def test_draws_kept_from_before_do_not_count_as_speed() -> None:
    bar = Bar(2, 1000)
    for done in (0, 910, 920, 930):
        bar.advance("", 1, done)
        bar.now += 1.0
    assert bar.draws_per_second() == pytest.approx(10)


def test_a_run_that_slows_down_says_so_within_minutes() -> None:
    bar = Bar(10_000, 10)
    for place in range(1, 401):
        bar.advance("", place, 0)
        bar.now += 0.01 if place <= 200 else 1.0
        bar.advance("", place, 10)
    assert bar.seconds_left() == pytest.approx(9600 * 1.0, rel=0.05)


def test_passes_that_take_minutes_have_a_rate() -> None:
    bar = Bar(1, 100)
    for done in (0, 10, 20, 30):
        bar.advance("", 1, done)
        bar.now += 200.0
    assert bar.seconds_left() == pytest.approx(70 * 20.0)


def shown(inputs: int, *, terminal: bool) -> tuple[str, str]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=120)
    clock = itertools.count(0.0, 0.01)  # each report takes 10 ms
    with ProgressBar(console, lambda: "header", lambda: next(clock)) as bar:
        bar.begin(inputs, 10)
        for place in range(1, inputs + 1):
            bar.advance(f"input-{place}", place, 0)
            bar.report_batch_size(8, "0.1 ms a draw")
            bar.advance(f"input-{place}", place, 10)
            bar.advance(f"input-{place}", place, 10)
        last = bar._progress.tasks[0]
        assert last.completed == last.total == 10 * inputs
    return out.getvalue(), last.fields["rate"]


def test_there_is_no_line_for_each_input(capsys: pytest.CaptureFixture[str]) -> None:
    drawn, rate = shown(3000, terminal=True)
    said = capsys.readouterr().err + drawn
    assert said.count("\n") < 300
    assert "inputs/s" in rate
    assert said.count("header") == said.count("8 draws per pass (0.1 ms a draw)") == 1


def test_where_no_person_watches_only_the_header_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert shown(50, terminal=False)[0] == ""
    assert len(capsys.readouterr().err.splitlines()) == 2
