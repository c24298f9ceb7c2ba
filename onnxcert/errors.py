"""The exceptions that a user can cause and fix, as one tree.

    OnnxcertError
    ├── ParameterError    a parameter is invalid (also a ValueError)
    ├── InputError        an image, a point cloud, a label file or a list of them is unusable
    ├── ModelError        an ONNX file cannot be opened, or must not be certified
    │   └── ContractError the model's contract is unknown, ambiguous or contradictory
    ├── DeviceError       the requested device is not available
    └── StoreError        a results folder cannot be read, written or resumed
        └── AccessError   the machine could not read a result; the file may be intact

Each message is one sentence: what is wrong, what was expected, what to do. The command line prints
it without a traceback and exits with status 2.
"""

import difflib
import errno
import os
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Final

# Whether messages are read by somebody who typed a command. If not, the public functions name
# keywords in place of options.
COMMAND_LINE: Final = ContextVar("COMMAND_LINE", default=False)


class OnnxcertError(Exception):
    """Base class of all errors that a user can cause and fix."""


class ParameterError(OnnxcertError, ValueError):
    """A parameter is invalid."""


class InputError(OnnxcertError):
    """An image, a point cloud, a label file or a list of them is unusable."""


class ModelError(OnnxcertError):
    """An ONNX file cannot be opened, or must not be certified."""


class ContractError(ModelError):
    """The model's contract is unknown, ambiguous or contradictory.

    Attributes:
        alternatives: Options, each with a value, any one of which would resolve it.
    """

    def __init__(self, message: str, *, alternatives: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.alternatives = tuple(alternatives)


class DeviceError(OnnxcertError):
    """The requested device is not available."""


class StoreError(OnnxcertError):
    """A results folder cannot be read, written or resumed."""


class AccessError(StoreError):
    """A result file could not be read because of limits, permissions, memory or a device.

    Attributes:
        path: Path of the file.
        why: Reason given by the system.
    """

    def __init__(self, path: object, why: str) -> None:
        super().__init__(
            f"{path} could not be read ({why}), so it may be intact; fix that and run the same "
            "command again."
        )
        self.path, self.why = str(path), why


# Error numbers that the file itself can cause: it is missing, is not a file, or contains wrong
# offsets. All others are about the process or the machine.
_FILE_ERRORS: Final = frozenset(
    {
        *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO),
        *(errno.EINVAL, errno.EOVERFLOW, errno.EFBIG),
    }
)


# Bytes that HDF5 and image decoders may need for one block of data.
_BLOCK: Final = 2**26


def describe_machine_failure(error: BaseException | None) -> str:
    """Return the reason if the machine, not the file, caused `error`; otherwise an empty string.

    Also checks the causes of `error`, because readers wrap system errors in their own types.
    """
    for cause in _causes(error):
        # HDF5 has no exception type for too little memory, only a message.
        if isinstance(cause, MemoryError) or "memory allocation failed" in str(cause):
            return "not enough memory"
        if isinstance(cause, OSError) and cause.errno not in {None, *_FILE_ERRORS}:
            return os.strerror(cause.errno or 0)
        # An HDF5 filter raises the same error for too little memory and for damaged data.
        no_errno = isinstance(cause, OSError | RuntimeError) and not getattr(cause, "errno", None)
        if no_errno and not _has_memory():
            return "not enough memory"
    return ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield `error` and its chain of causes."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _has_memory() -> bool:
    try:
        bytearray(_BLOCK)
    except MemoryError:
        return False
    return True


def refuse_too_many_files(path: object, error: BaseException) -> None:
    """Raise AccessError if `error` means too many open files: all other inputs would fail too."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE):
            raise AccessError(path, os.strerror(cause.errno)) from None


def refuse_machine_failure(path: object, error: BaseException) -> None:
    """Raise AccessError if the machine, not the file, caused the `error` of reading `path`."""
    if isinstance(error, AccessError):
        raise error
    why = describe_machine_failure(error)
    if why:
        raise AccessError(path, why) from None


def suggest(name: str, names: Iterable[str]) -> str:
    """Return the end of a sentence about an unknown name: the nearest of `names`, or a full stop.

    >>> suggest("hol", ["bonferroni", "holm"]), suggest("x", ["holm"])
    ('; did you mean holm?', '.')
    """
    known = {one.lower(): one for one in names}
    near = difflib.get_close_matches(name.lower(), known, 1)
    return f"; did you mean {known[near[0]]}?" if near else "."
