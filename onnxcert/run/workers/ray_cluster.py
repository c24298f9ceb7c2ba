"""Workers on a Ray cluster, of one machine or many. The only file that imports Ray."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any, Final, Self, final

from onnxcert.errors import DeviceError, ParameterError
from onnxcert.run import STOPS
from onnxcert.run.workers.processes import block_signals
from onnxcert.run.workers.worker import Task, TaskResult, Worker, WorkerSetup

_CONNECT_TIMEOUT: Final = 5.0  # timeout in seconds to connect to the cluster
_ANSWER_TIMEOUT: Final = 10.0  # timeout in seconds of Ray's answer to one request
# Versions of Ray without this client check the address only in `ray.init`.
_PROBE_SCRIPT: Final = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
import ray
print("imported", flush=True)
client = getattr(getattr(ray, "_raylet", None), "GcsClient", None)
client and client(address=sys.argv[1])
"""


@final
class Cluster:
    """Worker pool of Ray actors; see `onnxcert.run.workers.worker.WorkerPool`.

    Each actor has one GPU if the cluster has GPUs, else as many cores as it has threads. An actor
    whose process or machine is lost is restarted wherever there is room.

    Args:
        setup: how each worker opens the models.
        size: number of workers; 0 for as many as fit on the cluster.
        address: address of a cluster, such as ``10.0.0.1:6379``; None joins the cluster of this
            machine, or starts one that ends with the run.
    """

    def __init__(self, setup: WorkerSetup, size: int = 0, address: str | None = None) -> None:
        self._setup = setup
        self._requested = size
        self._address = address
        self._actors: dict[int, Any] = {}
        self._size = 0

    @property
    def size(self) -> int:
        return self._size

    @property
    def described(self) -> str:
        return f"{self._size} Ray worker{'s' if self._size > 1 else ''}"

    @property
    def lost(self) -> tuple[type[BaseException], ...]:
        errors = self._ray.exceptions
        return (
            errors.RayActorError,
            errors.ObjectLostError,
            errors.OutOfMemoryError,
            errors.WorkerCrashedError,
            errors.ActorUnschedulableError,
        )

    def __enter__(self) -> Self:
        try:
            # Ray sends usage data by default; switch that off unless the user has set the variable.
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # warnings of Ray about itself
                import ray
        except ImportError:
            raise DeviceError(
                "Ray is not installed; install onnxcert[ray], or use --workers."
            ) from None
        self._ray: Any = ray
        self._owns_cluster = not ray.is_initialized()
        if self._owns_cluster:
            self._join()
        try:
            self._size = self._count_workers()
        except BaseException:
            self.__exit__()
            raise
        self._sent = ray.put(self._setup)
        needs = {"num_gpus": 1} if self._gpus else {}
        # No restarts by Ray: the scheduler checks the runtime of a new worker, and counts losses.
        self._make = ray.remote(Worker).options(
            num_cpus=self._cores, max_restarts=0, max_task_retries=0, **needs
        )
        return self

    def __exit__(self, *_: object) -> None:
        for actor in self._actors.values():
            with suppress(Exception):
                self._ray.kill(actor)
        self._actors.clear()
        if self._owns_cluster:
            self._ray.shutdown()

    def start(self, slot: int) -> Future[TaskResult]:
        actor = self._actors.pop(slot, None)
        if actor is not None:
            with suppress(Exception):  # the actor may be dead already
                self._ray.kill(actor)
        self._actors[slot] = self._make.remote(self._sent)
        return _future(self._actors[slot].ready.remote())

    def share(self, value: Any) -> Any:
        return self._ray.put(value)

    def release(self, handle: Any) -> None:
        """Do nothing: Ray frees objects without references."""

    def submit(self, slot: int, task: Task, *handles: Any) -> Future[TaskResult]:
        return _future(self._actors[slot].do.remote(task, *handles))

    # -- the cluster -------------------------------------------------------------------------------

    def _join(self) -> None:
        try:
            _check_address(self._address)
            with warnings.catch_warnings(), _own_signals():
                warnings.simplefilter("ignore")
                self._ray.init(
                    address=self._address,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
            where = f"at {self._address}" if self._address else "on this machine"
            raise DeviceError(
                f"no Ray cluster could be reached {where} ({reason}); start one with ray start "
                "--head, name its address with --ray-address, and if it asks for a token, set "
                "RAY_AUTH_MODE=token here, too."
            ) from None

    @property
    def _gpus(self) -> int:
        if self._setup.device == "cpu":
            return 0
        return int(self._ray.cluster_resources().get("GPU", 0))

    @property
    def _cores(self) -> int:
        return 1 if self._gpus else max(1, self._setup.threads)

    def _count_workers(self) -> int:
        """Return the number of workers to start.

        Raises:
            DeviceError: a GPU was requested but the cluster has none.
            ParameterError: the cluster has too little room.
        """
        cores = int(self._ray.cluster_resources().get("CPU", 0))
        if self._setup.device not in ("auto", "cpu") and not self._gpus:
            raise DeviceError(
                "the Ray cluster has no GPU; use --device cpu, or start Ray on machines with GPUs."
            )
        room = self._gpus or cores // self._cores
        has = f"{self._gpus} GPUs" if self._gpus else f"{cores} cores"
        if room < 1 or self._requested > room:
            raise ParameterError(
                f"the Ray cluster has {has}, enough for {room} workers of {self._cores} threads; "
                "use fewer --workers or --threads."
            )
        return self._requested or room


def _check_address(address: str | None) -> None:
    """Raise OSError unless Ray listens at host:port.

    `ray.init` waits for minutes and cannot be interrupted, so a separate process checks first.
    """
    host, _, port = (address or "").rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        return
    socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_TIMEOUT).close()
    command = [sys.executable, "-c", _PROBE_SCRIPT, str(address)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as probe:
        try:
            assert probe.stdout is not None
            # The limit starts when Ray is imported: on a busy machine that alone takes longer.
            probe.stdout.readline()
            _, stderr = probe.communicate(timeout=_ANSWER_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise OSError(
                f"the server there gave no answer of Ray within {_ANSWER_TIMEOUT:g} s"
            ) from None
        finally:
            probe.kill()
    if probe.returncode:
        raise OSError((stderr.strip().splitlines() or ["it does not answer"])[-1])


@contextmanager
def _own_signals() -> Iterator[None]:
    """Restore signal handlers that Ray replaces, and keep Ray alive when the terminal is closed."""
    handlers = {number: signal.getsignal(number) for number in STOPS}
    try:
        with block_signals(*STOPS[2:]):
            yield
    finally:
        for number, handler in handlers.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _future(reference: Any) -> Future[TaskResult]:
    future: Future[TaskResult] = reference.future()
    return future
