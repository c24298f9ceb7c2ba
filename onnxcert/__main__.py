"""`python -m onnxcert`, and the console script."""

import time

STARTED = time.perf_counter()


def main() -> None:
    """Run the command line and exit with its status."""
    from onnxcert.cli import run_command_line

    raise SystemExit(run_command_line(started=STARTED))


if __name__ == "__main__":
    main()
