"""Safe output: control characters are escaped, and a failing stream causes no traceback.

File names, metadata and messages of libraries may come from untrusted files. All output of a
command goes through the two streams of `guard_streams`.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Final, TextIO, cast, final

# C0 except tab and line feed, DEL, C1, line and paragraph separators, and bidirectional controls,
# with which one name can look like another.
_CONTROLS: Final = (
    *(code for code in range(0x20) if chr(code) not in "\t\n"),
    *range(0x7F, 0xA0),
    *range(0x2028, 0x202F),
    *range(0x2066, 0x206A),
)
_ESCAPED: Final = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _CONTROLS
}


def escape(text: str) -> str:
    """Return `text` with each terminal control character written as an escape sequence."""
    return text if text.isascii() and text.isprintable() else text.translate(_ESCAPED)


def wrap(text: str, width: int) -> str:
    """Return `text` with each line that is longer than `width` broken between words.

    The next lines are indented like the text after a label ("model   a.onnx ..."). Words are not
    broken, and neither are lines of JSON and commands to copy.
    """
    if len(text) <= width and "\n" not in text:
        return text
    lines = []
    for line in text.split("\n"):
        if len(line) <= width or line.startswith(("{", "  onnxcert ")):
            lines.append(line)
            continue
        label = re.match(r"\s*\S+ {2,}|\s*", line)
        indent = min(len(label[0]) if label else 0, width // 3)
        lines += textwrap.wrap(
            line,
            width,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)


class OutputError(OSError):
    """Standard output or standard error cannot be written."""


@final
class GuardedStream:
    """Text stream that escapes control characters and characters that its encoding lacks.

    On a terminal, it also breaks long lines between words.
    """

    def __init__(self, stream: IO[str], name: str) -> None:
        self.unguarded, self._name = stream, name
        self._failure: OutputError | None = None  # raised again at every later call

    def write(self, text: str) -> int:
        shown = self._make_encodable(escape(text))
        with self._convert_errors():
            if self.unguarded.isatty():
                shown = wrap(shown, shutil.get_terminal_size().columns)
            self.unguarded.write(shown)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with self._convert_errors():
            self.unguarded.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unguarded, name)

    def _make_encodable(self, text: str) -> str:
        encoding = getattr(self.unguarded, "encoding", None) or "utf-8"
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            return text.encode(encoding, "backslashreplace").decode(encoding)
        return text

    @contextmanager
    def _convert_errors(self) -> Iterator[None]:
        if self._failure is not None:
            raise self._failure
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            self._failure = OutputError(error.errno, f"{self._name} cannot be written ({reason})")
            # Otherwise the interpreter would flush at exit, fail, and set its own exit status.
            self._redirect_to_null()
            raise self._failure from None

    def _redirect_to_null(self) -> None:
        with suppress(OSError, ValueError, AttributeError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.unguarded.fileno())
            os.close(null)


@contextmanager
def guard_streams() -> Iterator[None]:
    """Replace standard output and standard error by guarded streams inside the block."""
    if isinstance(sys.stdout, GuardedStream):
        yield
        return
    before = sys.stdout, sys.stderr
    # If a stream is closed, the next file opened would get its descriptor, and libraries would
    # write their messages into that file.
    out, err = (stream or open(os.devnull, "w") for stream in before)  # noqa: PTH123, SIM115
    sys.stdout = cast(TextIO, GuardedStream(out, "standard output"))
    sys.stderr = cast(TextIO, GuardedStream(err, "standard error"))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def raw_stderr() -> IO[str]:
    """Return unguarded standard error, for output that needs control characters."""
    return sys.stderr.unguarded if isinstance(sys.stderr, GuardedStream) else sys.stderr
