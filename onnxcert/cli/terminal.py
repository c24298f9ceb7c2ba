"""Safe output: no control character of a file reaches the terminal, and no failing stream causes a
traceback.

Names, metadata and messages of libraries come from files that anybody may have made. Everything
that a command prints goes through the two streams of `guarded`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Final, TextIO, cast, final

# C0 except tab and line feed, DEL, C1, line and paragraph separators, and characters that change
# the direction of writing, with which one name can look like another.
_STEERING: Final = (
    *(code for code in range(0x20) if chr(code) not in "\t\n"),
    *range(0x7F, 0xA0),
    *range(0x2028, 0x202F),
    *range(0x2066, 0x206A),
)
_ESCAPED: Final = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _STEERING
}


def visible(text: str) -> str:
    """Return `text` with every character that controls a terminal written as an escape."""
    return text if text.isascii() and text.isprintable() else text.translate(_ESCAPED)


class OutputError(OSError):
    """Standard output or standard error cannot be written."""


@final
class Guarded:
    """A text stream that writes only visible characters that its encoding has."""

    def __init__(self, stream: IO[str], name: str) -> None:
        self.unguarded, self._name = stream, name
        self._failure: OutputError | None = None  # raised again at every later call

    def write(self, text: str) -> int:
        with self._telling():
            self.unguarded.write(self._encodable(visible(text)))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with self._telling():
            self.unguarded.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unguarded, name)

    def _encodable(self, text: str) -> str:
        encoding = getattr(self.unguarded, "encoding", None) or "utf-8"
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            return text.encode(encoding, "backslashreplace").decode(encoding)
        return text

    @contextmanager
    def _telling(self) -> Iterator[None]:
        if self._failure is not None:
            raise self._failure
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            self._failure = OutputError(error.errno, f"{self._name} cannot be written ({reason})")
            # At exit the interpreter would write again, fail, and set its own exit status.
            self._abandon()
            raise self._failure from None

    def _abandon(self) -> None:
        with suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.unguarded.fileno())
            os.close(nowhere)


@contextmanager
def guarded() -> Iterator[None]:
    """Guard standard output and standard error inside the block."""
    if isinstance(sys.stdout, Guarded):
        yield
        return
    before = sys.stdout, sys.stderr
    # If a stream is closed, the next file opened would get its descriptor, and libraries would
    # write their messages into that file.
    out, err = (stream or open(os.devnull, "w") for stream in before)  # noqa: PTH123, SIM115
    sys.stdout = cast(TextIO, Guarded(out, "standard output"))
    sys.stderr = cast(TextIO, Guarded(err, "standard error"))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def raw_stderr() -> IO[str]:
    """Return unguarded standard error, for output that draws with its own control characters."""
    return sys.stderr.unguarded if isinstance(sys.stderr, Guarded) else sys.stderr
