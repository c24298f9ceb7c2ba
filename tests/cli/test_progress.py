"""What the progress bar says of a run of many inputs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from onnxcert.cli.progress_bar import ProgressBar, Throughput


def test_the_time_left_is_right_where_every_input_takes_the_same() -> None:
    pace, now = Throughput(10_000, 100), 50.0
    for place in range(1, 301):
        pace.advance(now, 0)
        for done in range(10, 101, 10):
            now += 0.01
            pace.advance(now, done)
            if place > 5:
                left = (10_000 - place) * 0.1 + (100 - done) * 0.001
                assert pace.seconds_left(place, done) == pytest.approx(left, rel=0.02)
        pace.advance(now, 100)  # told again that it is kept
    assert pace.draws_per_second == pytest.approx(1000, rel=0.01)


def test_inputs_that_were_finished_before_do_not_make_the_rest_look_fast() -> None:
    pace, now = Throughput(1000, 100), 0.0
    for _ in range(900):
        now += 0.001
        pace.advance(now, 100)
    assert pace.seconds_left(900, 100) is None
    for _ in range(2):
        pace.advance(now, 0)
        for done in (50, 100):
            now += 1.0
            pace.advance(now, done)
        pace.advance(now, 100)
    assert pace.seconds_left(902, 100) == pytest.approx(98 * 2.0)


def test_draws_kept_from_before_do_not_count_as_speed() -> None:
    pace = Throughput(2, 1000)
    pace.advance(0.0, 0)
    pace.advance(1.0, 910)
    pace.advance(2.0, 920)
    pace.advance(3.0, 930)
    assert pace.draws_per_second == pytest.approx(10)


def test_a_run_that_slows_down_says_so_within_minutes() -> None:
    pace, now = Throughput(10_000, 10), 0.0
    for seconds in (0.01, 1.0):
        for _ in range(200):
            pace.advance(now, 0)
            now += seconds
            pace.advance(now, 10)
    assert pace.seconds_left(400, 10) == pytest.approx(9600 * 1.0, rel=0.05)


def shown(inputs: int, *, terminal: bool) -> tuple[str, str]:
    out = io.StringIO()
    with ProgressBar(
        Console(file=out, force_terminal=terminal, width=120), lambda: "header"
    ) as bar:
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
