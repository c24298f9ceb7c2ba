"""`python -m onnxcert`, and the console script."""

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
    raise SystemExit(status)


if __name__ == "__main__":
    main()
