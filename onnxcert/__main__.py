"""`python -m onnxcert`, and the console script."""

import sys
import time

STARTED = time.perf_counter()
LEAST_MEMORY = 2**29  # bytes of address space that loading the libraries takes


def main() -> None:
    """Run the command line and exit with its status."""
    try:
        _refuse_little_memory()
        from onnxcert.cli import run_command_line
        from onnxcert.cli.interrupt import ending_passes

        with ending_passes(1):
            status = run_command_line(started=STARTED)
    except KeyboardInterrupt:
        status = 130
    except (ImportError, MemoryError, OSError) as error:  # before there is a command line
        print(
            f"onnxcert: cannot load its libraries ({' '.join(str(error).split()) or 'no memory'}); "
            "raise the limits of memory, files and processes (ulimit -a), or reinstall onnxcert.",
            file=sys.stderr,
        )
        status = 2
    raise SystemExit(status)


def _refuse_little_memory() -> None:
    """Raise MemoryError if the address space is so limited that NumPy's libraries would hang."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < LEAST_MEMORY:
        raise MemoryError(f"{limit >> 20} MiB of memory are allowed, {LEAST_MEMORY >> 20} needed")


if __name__ == "__main__":
    main()
