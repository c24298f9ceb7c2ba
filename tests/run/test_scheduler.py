"""Whatever workers do, however many they are, and whenever they die: the result is that of one
process, bit for bit."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import graphs
import pytest
from drawing import write_picture
from equal_runs import assert_equal_runs
from graphs import save
from pointgraphs import of_category, write_shape
from rich.console import Console
from unreliable_pool import UnreliablePool
from waiting import LIMIT

from onnxcert import Gaussian, OnnxSegmenter, ResultStore, Rule, Schedule, Stopping
from onnxcert.cli.progress_bar import ProgressBar
from onnxcert.data.datasets import READERS
from onnxcert.data.points import CLOUD_READERS
from onnxcert.errors import DeviceError, ModelError, OnnxcertError
from onnxcert.run.progress import ProgressListener
from onnxcert.run.run import Run
from onnxcert.run.workers.scheduler import Scheduler
from onnxcert.run.workers.worker import CountDraws, MakePlan, Task, Worker, WorkerSetup
from onnxcert.sampling.draws import digest
from onnxcert.statistics.settings import Settings

pytestmark = pytest.mark.slow

LOOKS = Rule(correction="bonferroni", schedule=Schedule(150, (45, 60, 100, 150)))
SETTINGS = {
    "plain": Settings(perturbation=Gaussian(0.2), n=90),
    "split": Settings(perturbation=Gaussian(0.2), n=70, n0=13, selection="split"),
    "looks": Settings(perturbation=Gaussian(0.2), n=150, rule=LOOKS),
    "until": Settings(perturbation=Gaussian(0.2), n=150, rule=LOOKS, stopping=Stopping(until=0.7)),
    "predict": Settings(
        perturbation=Gaussian(0.2),
        n=60,
        n0=60,
        rule=Rule(procedure="predict", correction="bonferroni"),
    ),
}


class Place:
    """A model and its inputs, and runs over them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = graphs.save(graphs.threshold(), folder / "model.onnx")
        # Of a fixed batch axis, and so with something to find out in the first passes.
        self.other = graphs.save(graphs.threshold(0.6, batch=1), folder / "other.onnx")
        self.leaky = graphs.save(graphs.batch_mates_leak(), folder / "leaky.onnx")
        (folder / "pictures").mkdir()
        for i in range(6):
            height, width = ((12, 16), (12, 16), (20, 9))[i % 3]
            path = folder / "pictures" / f"p{i}.png"
            write_picture(path, seed=i, height=height, width=width)
        self.wholes: dict[str, Path] = {}

    def run(
        self, out: Path, settings: str = "plain", *, model: Path | None = None, **more: Any
    ) -> Run:
        path = model or self.model
        return Run(
            segmenter=OnnxSegmenter.open(path, threads=1),
            nonrobust=more.pop("nonrobust", None) and OnnxSegmenter.open(self.other, threads=1),
            listing=READERS["folder"].list([str(self.folder / "pictures")], None),
            settings=SETTINGS[settings],
            store=ResultStore(out),
            seed=3,
            **{"batch_size": 4, "pictures": False, "checkpoint_seconds": 60.0, **more},
        )

    def whole(self, settings: str, **more: Any) -> Path:
        """The result of one process."""
        key = f"{settings} {more}"
        if key not in self.wholes:
            out = self.folder / f"whole-{len(self.wholes)}"
            self.run(out, settings, **more).execute(0)
            self.wholes[key] = out
        return self.wholes[key]


@pytest.fixture(scope="module")
def slot(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("dispatch"))


@pytest.fixture(autouse=True)
def nothing_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that waits for the same futures again and again has lost one: fail, do not hang."""
    waited, before, rounds = Scheduler._wait, None, 0

    def wait(this: Scheduler) -> None:
        nonlocal before, rounds
        now = {future for slot in this._slots for future in (slot.ready, *slot.held)}
        before, rounds = now, rounds + 1 if now == before else 0
        assert rounds < LIMIT / 0.02, "the driver waits for what never comes"
        waited(this)

    monkeypatch.setattr(Scheduler, "_wait", wait)
    monkeypatch.setattr("onnxcert.run.workers.scheduler._PATIENCE", 0.02)


def crew(run: Run, size: int, **chaos: Any) -> UnreliablePool:
    other = None if run.nonrobust is None else run.nonrobust.reopen
    run.crew = UnreliablePool(WorkerSetup(run.segmenter.reopen, other, "cpu", 1), size, **chaos)
    return run.crew


# -- bit for bit -------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize(("size", "deaths"), [(1, 0.0), (3, 0.12), (7, 0.15)])
def test_any_number_of_workers_gives_the_result_of_one_process(
    slot: Place, tmp_path: Path, settings: str, size: int, deaths: float
) -> None:
    run = slot.run(tmp_path / "out", settings)
    chaos = crew(run, size, deaths=deaths, seed=size)
    run.execute(0)
    assert_equal_runs(tmp_path / "out", slot.whole(settings))
    assert not deaths or chaos.starts > size
    # Of what was shared only what new workers settle on is left.
    assert len(chaos.shared) == 1


@pytest.mark.parametrize("kind", ["leaky", "other", "nonrobust"])
def test_what_first_passes_show_is_found_out_as_in_one_process(
    slot: Place, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    more: dict[str, Any] = {"nonrobust": True} if kind == "nonrobust" else {}
    if kind in ("leaky", "other"):
        more["model"] = getattr(slot, kind)
    run = slot.run(tmp_path / "out", **more)
    crew(run, 3, deaths=0.05, seed=5)
    first: dict[Worker, tuple[str, str]] = {}  # worker -> what it ran first, and on what
    label, count = Worker.label, CountDraws.run

    def labels(worker: Worker, x: Any, other: Any) -> Any:
        first.setdefault(worker, ("label", digest(x)))
        return label(worker, x, other)

    def counts(task: CountDraws, worker: Worker, *shared: Any) -> Any:
        first.setdefault(worker, ("count", digest(shared[0][0])))
        return count(task, worker, *shared)

    monkeypatch.setattr(Worker, "label", labels)
    monkeypatch.setattr(CountDraws, "run", counts)
    run.execute(0)
    monkeypatch.undo()
    # Each worker labels the first input before it does anything else.
    assert len(first) > 1
    store = ResultStore(tmp_path / "out")
    assert set(first.values()) == {("label", store.read("p0").tally.draws.digest)}
    assert_equal_runs(tmp_path / "out", slot.whole("plain", **more))
    warnings = [record.provenance.environment["warnings"] for record in store.records()]
    assert all(bool(said) == (kind == "leaky") for said in warnings)


def test_the_first_input_of_a_size_is_tried_at_length_and_the_others_in_short(
    slot: Place, tmp_path: Path
) -> None:
    run = slot.run(tmp_path / "out")
    chaos = crew(run, 4)
    run.execute(0)
    tried = [task for _, task in chaos.done if isinstance(task, MakePlan)]
    assert [task.known is None for task in tried].count(True) == 2
    assert len(tried) == 6


def test_point_clouds_go_through_workers(tmp_path: Path) -> None:
    path = save(of_category(), tmp_path / "model.onnx")
    for i, category in enumerate(("chair", "lamp", "rocket")):
        write_shape(tmp_path / "shapes" / f"s{i}.npz", seed=i, category=category)
    from onnxcert.perturbation import OnChannels

    for out in ("whole", "out"):
        run = Run(
            segmenter=OnnxSegmenter.open(path, threads=1),
            listing=CLOUD_READERS["clouds"].list([str(tmp_path / "shapes")], None),
            settings=Settings(perturbation=OnChannels(Gaussian(0.1), 0, 3), n=60),
            store=ResultStore(tmp_path / out),
            seed=3,
            pictures=False,
        )
        if out == "out":
            crew(run, 3, deaths=0.1, seed=1)
        run.execute(0)
    assert_equal_runs(tmp_path / "out", tmp_path / "whole")


# -- one huge input, and many ------------------------------------------------------------------


def one_input(run: Run) -> Run:
    run.listing = replace(run.listing, items=run.listing.items[:1])
    return run


def test_one_input_is_spread_over_all_workers_by_its_draws(slot: Place, tmp_path: Path) -> None:
    for out in ("whole", "out"):
        run = one_input(slot.run(tmp_path / out, checkpoint_seconds=0.002))
        run.settings = Settings(perturbation=Gaussian(0.2), n=600, n0=100)
        chaos = crew(run, 4) if out == "out" else None
        run.execute(0)
    assert_equal_runs(tmp_path / "out", tmp_path / "whole")
    assert chaos is not None
    counted = [(slot, task) for slot, task in chaos.done if isinstance(task, CountDraws)]
    assert {slot for slot, _ in counted} == {0, 1, 2, 3}
    # No draw is counted twice where nobody dies, and passes are those of one process.
    parts = sorted((task.indices for _, task in counted), key=lambda part: part.start)
    assert [i for part in parts for i in part] == list(range(600))
    assert all((part.start - (100 if part.start >= 100 else 0)) % 4 == 0 for part in parts)


def test_inputs_under_way_are_bounded(
    slot: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = slot.run(tmp_path / "out")
    first, _, other, *_ = run.listing.items
    # While the first input of a size is tried, the others of that size have to wait.
    items = (first, *(replace(other, name=f"x{i}") for i in range(39)))
    run.listing = replace(run.listing, items=items)
    most, admit = 0, Scheduler._admit

    def counted(scheduler: Scheduler) -> bool:
        nonlocal most
        admitted = admit(scheduler)
        most = max(most, len(scheduler._jobs))
        return admitted

    monkeypatch.setattr(Scheduler, "_admit", counted)
    chaos = crew(run, 2)
    run.execute(0)
    assert len(run.store.names()) == 40
    assert 1 < most <= 2 * 2 + 1
    # Inputs, their candidates, and the one that workers settle on.
    assert chaos.most_shared <= 2 * (2 * 2 + 1) + 1


# -- stopped and gone on with ----------------------------------------------------------------------


class Stopper(ProgressListener):
    def __init__(self, run: Run, at: int) -> None:
        self.run, self.at = run, at

    def advance(self, name: str, slot: int, done: int) -> None:
        assert name
        if (slot - 1) * 150 + done >= self.at:
            self.run.stopping = True


@pytest.mark.parametrize("settings", ["plain", "looks"])
@pytest.mark.parametrize("at", [1, 120, 400])
def test_stopped_at_any_time_the_run_goes_on_with_workers_or_without(
    slot: Place, tmp_path: Path, settings: str, at: int
) -> None:
    for alone in (False, True):
        out = tmp_path / f"{alone}"
        run = slot.run(out, settings, checkpoint_seconds=0.01)
        crew(run, 3)
        run.watcher = Stopper(run, at)
        with pytest.raises(KeyboardInterrupt):
            run.execute(0)
        assert settings == "looks" or len(ResultStore(out).names()) < 6
        if settings == "looks":
            ended = {record.tally.ended for record in ResultStore(out).records()}
            assert ended <= {"", "interrupted"}
        again = slot.run(out, settings)
        if not alone:
            crew(again, 2)
        again.execute(0)
        assert_equal_runs(out, slot.whole(settings))


def test_a_count_begun_by_one_process_is_gone_on_with_by_workers(
    slot: Place, tmp_path: Path
) -> None:
    run = slot.run(tmp_path / "out", checkpoint_seconds=0.0001)
    run.watcher = Stopper(run, 50)
    with pytest.raises(KeyboardInterrupt):
        run.execute(0)
    assert any((tmp_path / "out" / "partial").glob("*.h5"))
    again = slot.run(tmp_path / "out")
    chaos = crew(again, 2)
    again.execute(0)
    assert_equal_runs(tmp_path / "out", slot.whole("plain"))
    first = min(task.indices.start for _, task in chaos.done if isinstance(task, CountDraws))
    draws = [i for _, task in chaos.done if isinstance(task, CountDraws) for i in task.indices]
    assert first >= 0
    assert len(draws) < 6 * 90


# -- what cannot be mended ------------------------------------------------------------------------


def counting(start: int) -> Callable[[Task], bool]:
    return lambda task: isinstance(task, CountDraws) and start in task.indices


def test_draws_that_kill_three_workers_are_an_error_and_nothing_else_is_lost(
    slot: Place, tmp_path: Path
) -> None:
    run = slot.run(tmp_path / "out", checkpoint_seconds=0.01)
    digest_of_p0: list[str] = []

    def fatal(task: Task) -> bool:
        if isinstance(task, MakePlan) and not digest_of_p0:
            digest_of_p0.append(task.draws.digest)
        return (
            isinstance(task, CountDraws)
            and task.draws.digest == digest_of_p0[0]
            and 50 in task.indices
        )

    chaos = crew(run, 2, fatal=fatal)
    with pytest.raises(ModelError, match=r"^p0: 3 workers ended while counting its draws \d+ to"):
        run.execute(0)
    assert chaos.starts == 2 + 3
    assert "p0" not in run.store
    assert (run.store.folder / "partial" / "p0.h5").is_file()
    slot.run(tmp_path / "out").execute(0)
    assert_equal_runs(tmp_path / "out", slot.whole("plain"))


def test_an_input_that_kills_workers_before_its_first_draw_is_named(
    slot: Place, tmp_path: Path
) -> None:
    run = slot.run(tmp_path / "out")
    crew(run, 2, fatal=lambda task: isinstance(task, MakePlan))
    with pytest.raises(ModelError, match="p0: 3 workers ended while trying it out"):
        run.execute(0)


def test_workers_that_run_the_model_otherwise_are_refused(slot: Place, tmp_path: Path) -> None:
    run = slot.run(tmp_path / "out", checkpoint_seconds=0.01)
    crew(
        run,
        3,
        disguise=lambda at, runtime: replace(runtime, version="0.1") if at == 2 else runtime,
    )
    with pytest.raises(DeviceError, match=r"all workers must have the same runtime.* 0\.1 "):
        run.execute(0)


def test_a_worker_that_cannot_open_the_model_says_why(slot: Place, tmp_path: Path) -> None:
    run = slot.run(tmp_path / "out")
    run.crew = UnreliablePool(WorkerSetup(run.segmenter.reopen, None, "cuda:63", 1), 2)
    with pytest.raises(OnnxcertError, match="cuda:63 was requested"):
        run.execute(0)
    assert not (tmp_path / "out").exists()


def test_an_input_that_the_model_fails_on_is_skipped(slot: Place, tmp_path: Path) -> None:
    fixed = graphs.save(graphs.threshold(size=(12, 16)), tmp_path / "fixed.onnx")
    skipped = []
    for out in ("whole", "out"):
        run = slot.run(tmp_path / out, model=fixed)
        if out == "out":
            crew(run, 3)
        run.execute(0)
        skipped.append(run.skipped)
    assert skipped[0] == skipped[1]
    assert list(skipped[0]) == ["p2", "p5"]
    assert_equal_runs(tmp_path / "out", tmp_path / "whole")


@pytest.mark.parametrize("starts", [0, 1])
def test_a_run_that_waits_for_any_worker_at_all_says_so(
    slot: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starts: int
) -> None:
    """As on a cluster that is full from the start, or gives the room of dead workers to somebody
    else; also before there is anything to count."""
    monkeypatch.setattr("onnxcert.run.workers.scheduler._SILENCE", 0.0)
    said: list[str] = []
    heard = threading.Event()

    class Listening(ProgressBar):
        def report_status(self, text: str) -> None:
            if text.startswith("waiting"):
                heard.set()
            super().report_status(text)
            said.append(text)

    class Full(UnreliablePool):
        def _open(self, slot: int) -> Any:
            if self.starts > starts:
                heard.wait(LIMIT)  # less than for ever where nothing is said
            return super()._open(slot)

    run = slot.run(tmp_path / "out")
    run.crew = Full(WorkerSetup(run.segmenter.reopen, None, "cpu", 1), 1, deaths=1.0, seed=1)
    with Listening(Console(file=io.StringIO(), force_terminal=True), str) as run.watcher:
        run.execute(1)
    assert "waiting for room for threads" in said
    assert said[-1] == ""
    assert_equal_runs(tmp_path / "out", slot.whole("plain"))
