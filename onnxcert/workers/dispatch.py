"""Scheduler: assigns tasks of several inputs to workers, and replaces lost workers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any, Final, final

from onnxcert.errors import DeviceError, ModelError, OnnxcertError
from onnxcert.model.running.runtime import Runtime
from onnxcert.workers.course import Course, Sizes
from onnxcert.workers.crew import Crew
from onnxcert.workers.task import Answers, CountDraws, Settle, Task
from onnxcert.workers.worker import Outcome

# Queue depth per worker: one task running, one waiting, so that the worker is never idle.
_DEPTH: Final = 2
_TRIES: Final = 3
_PATIENCE: Final = 0.2  # seconds between checks for a stop while waiting
_SILENCE: Final = 15.0  # seconds without any worker (a full cluster) before a message


@dataclass(eq=False)
class _Place:
    """One worker and its tasks, oldest first.

    Attributes:
        number: number of the slot, from 0.
        hello: future of a worker that is starting; None once it is ready.
        settled: whether it has done its warm-up pass on the run's first input.
        held: future -> (input, task); no input for a warm-up.
    """

    number: int
    hello: Future[Outcome] | None = None
    settled: bool = False
    held: dict[Future[Outcome], tuple[Course | None, Task]] = field(default_factory=dict)


@final
class Dispatch:
    """Scheduler of a worker pool.

    Args:
        crew: an entered worker pool.
        seconds: target duration of a task; at most this much work is lost with a worker, and so
            much time passes between checkpoints.
        say: called with a message while no worker is available, and with "" afterwards.

    Attributes:
        forward: seconds that the workers spent in the runtime so far.
    """

    def __init__(
        self, crew: Crew, seconds: float = 2.0, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self.crew = crew
        self._say = say
        self._alone_since: float | None = None
        self._told = False
        self.forward = 0.0
        self._places = [_Place(number) for number in range(crew.size)]
        self._sizes = Sizes(seconds)
        self._courses: list[Course] = []
        self._waiting: Iterator[Course] = iter(())
        self._exhausted = False
        self._first: Any = None  # handle of the input for the workers' warm-up
        self._deaths: Counter[tuple[str, str]] = Counter()
        self._stillborn = 0
        self._runtimes: list[Runtime] = []  # of the workers that are ready

    def start(self, stopping: Callable[[], bool]) -> Runtime:
        """Start all workers and wait for the first; return its runtime.

        Args:
            stopping: returns True to stop waiting.

        Raises:
            OnnxcertError: the worker cannot open the model.
            KeyboardInterrupt: `stopping` returned True.
        """
        for place in self._places:
            self._start(place)
        while not self._runtimes:
            if stopping():
                raise KeyboardInterrupt
            self._wait()
        return self._runtimes[0]

    def run(
        self, courses: Iterator[Course], stopping: Callable[[], bool], *, leaky: bool = False
    ) -> None:
        """Process every input to its end.

        Args:
            courses: the inputs, in order; each is read when its turn comes.
            stopping: if it returns True, counts are checkpointed and KeyboardInterrupt is raised.
            leaky: whether the model is known to be batch-dependent.

        Raises:
            OnnxcertError: an input cannot be certified as requested; other counts are checkpointed.
        """
        self._waiting, self._exhausted = courses, False
        self._sizes.leaky = leaky
        try:
            while self._courses or self._admit():
                if stopping():
                    for course in self._courses:
                        course.interrupt()
                    raise KeyboardInterrupt
                self._hand_out()
                self._wait()
        except Exception:
            for course in self._courses:
                course.keep()
            raise

    # -- handing out ---------------------------------------------------------------------------

    def _admit(self) -> bool:
        """Admit one more input if there is one and the queue is not full."""
        if self._exhausted or len(self._courses) > _DEPTH * len(self._places):
            return False
        course = next(self._waiting, None)
        if course is None:
            self._exhausted = True
            return False
        self._courses.append(course)
        return True

    def _hand_out(self) -> None:
        while True:
            free = [p for p in self._places if p.hello is None and len(p.held) < _DEPTH]
            found = self._next_task() if free else None
            if found is None:
                return
            self._submit(min(free, key=lambda place: len(place.held)), *found)

    def _next_task(self) -> tuple[Course, Task] | None:
        if self._first is None and any(place.held for place in self._places):
            return None  # the first input that the model accepts is the warm-up input of all
        fresh = 0
        while True:
            for course in self._courses[fresh:]:
                ready = sum(place.hello is None for place in self._places)
                task = course.next_task(self._sizes, ready, last=self._exhausted)
                if task is not None:
                    return course, task
            fresh = len(self._courses)
            if not self._admit():
                return None

    def _submit(self, place: _Place, course: Course, task: Task) -> None:
        if self._first is not None and not place.settled:
            settling = Settle()
            place.held[self.crew.submit(place.number, settling, self._first)] = None, settling
            place.settled = True
        future = self.crew.submit(place.number, task, *course.handles(task, self.crew))
        place.held[future] = course, task

    # -- taking in -----------------------------------------------------------------------------

    def _wait(self) -> None:
        futures = [place.hello for place in self._places if place.hello is not None]
        futures += [future for place in self._places for future in place.held]
        assert futures, "there is nothing to wait for, so this would wait for ever"
        wait(futures, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
        self._tell_of_waiting()
        for place in self._places:
            if place.hello is not None and place.hello.done():
                self._welcome(place, place.hello)
            for future in [future for future in place.held if future.done()]:
                self._take(place, future)

    def _tell_of_waiting(self) -> None:
        """Report if no worker is available for long; nothing else shows it."""
        if not all(place.hello is not None for place in self._places):
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = time.monotonic()
        elif time.monotonic() - self._alone_since > _SILENCE:
            self._tell(f"waiting for room for {self.crew.described}")

    def _tell(self, text: str) -> None:
        self._say(text)
        self._told = bool(text)

    def _welcome(self, place: _Place, hello: Future[Outcome]) -> None:
        if isinstance(hello.exception(), self.crew.lost):
            self._stillborn += 1
            if self._stillborn >= _TRIES:
                raise DeviceError(
                    "workers ended while opening the model; there may be too little memory for "
                    f"{self.crew.described}; use fewer."
                )
            self._start(place)
            return
        runtime = _value(hello)
        assert isinstance(runtime, Runtime)
        self._runtimes.append(runtime)
        if runtime.kind != self._runtimes[0].kind:
            raise DeviceError(
                f"all workers must have the same runtime, but one has {self._runtimes[0]} and "
                f"another {runtime}; install the same onnxcert everywhere, or use --device cpu."
            )
        self._stillborn = 0
        place.hello = None
        if self._told:
            self._tell("")

    def _take(self, place: _Place, future: Future[Outcome]) -> None:
        if future not in place.held:
            return  # the loss of its worker is handled already
        if isinstance(future.exception(), self.crew.lost):
            self._lose(place)
            return
        course, task = place.held.pop(future)
        value = _value(future)
        self.forward += future.result().forward
        if course is None:
            return
        if self._first is None and isinstance(value, Answers):
            # Shared until the end: replacement workers need it for their warm-up, too.
            self._first = self.crew.share(course.input)
            place.settled = True
        leaky = self._sizes.leaky
        course.receive(task, future.result(), self._sizes)
        if self._sizes.leaky and not leaky:
            for each in self._courses:
                each.start_again(self.crew)
        for each in [each for each in self._courses if each.ended]:
            each.release(self.crew)
            self._courses.remove(each)

    def _lose(self, place: _Place) -> None:
        """Replace a lost worker, attribute the failure to its running task, requeue its tasks."""
        for future in [f for f in place.held if f.done() and f.exception() is None]:
            self._take(place, future)
        held = list(place.held.values())
        place.held.clear()
        self._tell(f"worker {place.number + 1} ended; restarting it")
        self._start(place)
        for course, task in held:
            if course is not None:
                course.give_back(task, self._sizes)
        if held and held[0][0] is not None:
            self._blame(held[0][0], held[0][1])

    def _blame(self, course: Course, task: Task) -> None:
        doing = "trying it out"
        if isinstance(task, CountDraws):
            doing = f"counting its draws {task.indices.start} to {task.indices.stop - 1}"
        self._deaths[course.name, doing] += 1
        if self._deaths[course.name, doing] < _TRIES:
            return
        raise ModelError(
            f"{course.name}: {_TRIES} workers ended while {doing}; they may lack memory; use fewer "
            "workers or a smaller --batch-size."
        )

    def _start(self, place: _Place) -> None:
        place.settled = False
        place.hello = self.crew.start(place.number)


def _value(future: Future[Outcome]) -> Any:
    """Return the result of a task.

    Raises:
        OnnxcertError: raised by the task, or a lack of memory.
    """
    try:
        value = future.result().value
    except MemoryError:
        raise DeviceError(
            "a worker has too little memory for its task; use fewer --workers, or a smaller "
            "--batch-size."
        ) from None
    if isinstance(value, OnnxcertError):
        raise value
    return value
