"""Everything a user can get wrong, as one exception tree.

    OnnxcertError
    ├── ParameterError    a number or name given to onnxcert is out of range (also a ValueError)
    ├── InputError        a picture, label map or list of them cannot be used
    ├── ModelError        an ONNX file cannot be opened, or must not be certified
    │   └── ContractError how to talk to the model is unknown, ambiguous or contradictory
    ├── DeviceError       the device asked for is not there
    └── StoreError        a result folder cannot be read, written or continued
        └── AccessError   the machine could not read a result, which may be intact

Each message is one sentence for the person at the keyboard: what was expected, what came,
what to do. The command line prints it without a traceback and exits with status 2.
"""

import errno
import os
from collections.abc import Iterator
from typing import Final


class OnnxcertError(Exception):
    """Base of every error that a user can cause and mend."""


class ParameterError(OnnxcertError, ValueError):
    """A number or name given to onnxcert is out of range."""


class InputError(OnnxcertError):
    """A picture, label map or list of them cannot be used."""


class ModelError(OnnxcertError):
    """An ONNX file cannot be opened, or must not be certified."""


class ContractError(ModelError):
    """How to talk to the model is unknown, ambiguous or contradictory."""


class DeviceError(OnnxcertError):
    """The device asked for is not there."""


class StoreError(OnnxcertError):
    """A result folder cannot be read, written or continued."""


class AccessError(StoreError):
    """Limits, permissions, memory or a device kept a file of a result from being read.

    Attributes:
        path: the file. why: the reason as the system words it.
    """

    def __init__(self, path: object, why: str) -> None:
        super().__init__(
            f"{path} could not be read ({why}), so it may be intact; fix that and give the "
            "command again."
        )
        self.path, self.why = str(path), why


# Errors that the file itself can cause: it is missing, is not a file, or gives wrong offsets. Every
# other errno is about the process or the machine.
_OF_THE_FILE: Final = frozenset(
    {
        *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO),
        *(errno.EINVAL, errno.EOVERFLOW, errno.EFBIG),
    }
)


# Memory that HDF5 and image decoders may need for one block of data.
_BLOCK: Final = 2**26


def machine_trouble(error: BaseException | None) -> str:
    """Return the reason if the machine and not the file caused `error`; else an empty string.

    Also looks at the exceptions that `error` was raised from, as readers raise errors of their own.
    """
    for cause in _causes(error):
        # HDF5 has no exception type for a lack of memory, only a message.
        if isinstance(cause, MemoryError) or "memory allocation failed" in str(cause):
            return "not enough memory"
        if isinstance(cause, OSError) and cause.errno not in {None, *_OF_THE_FILE}:
            return os.strerror(cause.errno or 0)
        # An HDF5 filter fails in the same way without memory and on damaged data.
        unnamed = isinstance(cause, OSError | RuntimeError) and not getattr(cause, "errno", None)
        if unnamed and not _has_memory():
            return "not enough memory"
    return ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield `error` and the exceptions that it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _has_memory() -> bool:
    try:
        bytearray(_BLOCK)
    except MemoryError:
        return False
    return True


def refuse_exhausted(path: object, error: BaseException) -> None:
    """Raise AccessError if too many files are open: every other input would fail, too."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE):
            raise AccessError(path, os.strerror(cause.errno)) from None


def refuse_trouble(path: object, error: BaseException) -> None:
    """Raise AccessError if the machine caused the `error` of reading `path`."""
    if isinstance(error, AccessError):
        raise error
    why = machine_trouble(error)
    if why:
        raise AccessError(path, why) from None
