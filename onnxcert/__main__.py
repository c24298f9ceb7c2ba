"""Entry point of `python -m onnxcert` and of the console script."""

import sys
import time

STARTED = time.perf_counter()
MIN_ADDRESS_SPACE = 2**29  # bytes needed to load the libraries


def main() -> None:
    """Run the command line and exit the process with its status."""
    try:
        _check_address_space()
        from onnxcert.cli import run_command_line
        from onnxcert.cli.interrupt import end_passes_on_signal

        with end_passes_on_signal(1):
            status = run_command_line(started=STARTED)
    except KeyboardInterrupt:
        status = 130
    except (ImportError, MemoryError, OSError) as error:  # before the command line is loaded
        reason = " ".join(str(error).split()) or "not enough memory"
        print(
            f"onnxcert: cannot load its libraries ({reason}); raise the limits on memory, open "
            "files and processes (ulimit -a), or reinstall onnxcert.",
            file=sys.stderr,
        )
        status = 2
    raise SystemExit(status)


def _check_address_space() -> None:
    """Raise MemoryError if the address space limit is so low that loading NumPy would hang."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < MIN_ADDRESS_SPACE:
        needed = MIN_ADDRESS_SPACE >> 20
        raise MemoryError(f"the limit is {limit >> 20} MiB of memory, {needed} MiB are needed")


if __name__ == "__main__":
    main()
