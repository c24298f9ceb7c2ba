"""`python -m onnxcert`, and the console script."""

import sys
import time

STARTED = time.perf_counter()


def main() -> None:
    """Run the command line and exit with its status."""
    try:
        from onnxcert.cli import run_command_line
        from onnxcert.cli.interrupt import ending_passes

        with ending_passes(1):
            status = run_command_line(started=STARTED)
    except KeyboardInterrupt:
        status = 130
    except (ImportError, MemoryError, OSError) as error:  # before there is a command line
        print(
            f"onnxcert: it cannot be loaded ({' '.join(str(error).split()) or 'no memory'}); raise "
            "the limits of memory, files and processes (ulimit -a), or install onnxcert anew.",
            file=sys.stderr,
        )
        status = 2
    raise SystemExit(status)


if __name__ == "__main__":
    main()
