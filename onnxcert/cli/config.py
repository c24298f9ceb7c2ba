"""Options in a TOML file: `--config` reads one, `--save-config` writes one."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from onnxcert.errors import ParameterError, suggest
from onnxcert.model.bundled import bundled_models

_LARGEST: Final = 2**22  # bytes; a list of inputs may be long
_NOT_STORED: Final = ("config", "save_config", "help")  # options that no file may give
_TOML_NUMBER: Final = re.compile(r"[+-]?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_NUMERIC: Final = ("N", "NUMBER", "K", "SHARE", "SECONDS", "INDEX", "TAU[,TAU...]")
# Values that are paths, and those that may also be a name: then they are a path if there is one.
_PATHS: Final = ("inputs", "labels", "palette", "class_names", "out")
_PATHS_OR_NAMES: Final = ("model", "nonrobust", "label_map", "categories")


def read_config(path: Path, parameters: Sequence[Any]) -> dict[str, Any]:
    """Return the values of a configuration file, as the command line would give them.

    Args:
        path: TOML file: `name = value` for each option, by its flag without dashes, and `model` and
            `inputs`.
        parameters: Arguments and options of the command.

    Returns:
        Name of the parameter -> text, list of texts, or whether a switch is on.

    Raises:
        ParameterError: The file cannot be read, or has an unknown key or a value of a wrong type.
    """
    known = _by_key(parameters)
    values: dict[str, Any] = {}
    for key, value in _load(path).items():
        parameter = known.get(key.replace("_", "-"))
        if parameter is None:
            raise ParameterError(f"{path}: there is no option {key!r}{suggest(key, known)}")
        if parameter.name in values:
            raise ParameterError(f"{path}: {key} is given twice; leave one of them out.")
        text = _convert(path, key, value, parameter)
        values[parameter.name] = _locate(parameter.name, text, path.parent)
    return values


def _load(path: Path) -> dict[str, Any]:
    from onnxcert.files.regular import read_regular_file

    try:
        return tomllib.loads(read_regular_file(path, limit=_LARGEST).decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ParameterError(
            f"{path} cannot be read ({reason}); give a TOML file of options such as the one that "
            "--save-config writes."
        ) from None
    except (ValueError, RecursionError) as error:  # ValueError: also of huge numbers
        raise ParameterError(
            f"{path} must be a TOML file with lines such as sigma = 0.25 ({error}); fix the file."
        ) from None


def _by_key(parameters: Sequence[Any]) -> dict[str, Any]:
    """Return the parameters by the keys that a file may use."""
    return {
        (p.name if p.param_type_name == "argument" else p.opts[0].lstrip("-")): p
        for p in parameters
        if p.name not in _NOT_STORED
    }


def _convert(path: Path, key: str, value: Any, parameter: Any) -> Any:
    """Return a value of the file as the command line would give it."""
    several = isinstance(value, list) and all(map(_is_plain, value))
    if getattr(parameter, "is_flag", False):
        if not isinstance(value, bool):
            raise ParameterError(f"{path}: {key} must be true or false, got {_show(value)}.")
        return value
    if not (several or _is_plain(value)):
        raise ParameterError(
            f"{path}: {key} must be {_describe(parameter)}, got {_show(value)}; write it as on the "
            "command line."
        )
    if parameter.nargs != 1 or getattr(parameter, "multiple", False):
        return list(map(str, value)) if several else [str(value)]
    return ",".join(map(str, value)) if several else str(value)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _describe(parameter: Any) -> str:
    metavar = str(getattr(parameter, "metavar", None))
    return {"N": "a whole number", "NUMBER": "a number"}.get(metavar, "a number or a text")


def _show(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | str) else repr(value)


def _locate(name: str, value: Any, folder: Path) -> Any:
    """Return `value` with paths relative to `folder` made relative to the working folder."""
    return _map_paths(name, value, lambda path: str(folder / path), folder)


def _map_paths(name: str, value: Any, change: Any, folder: Path) -> Any:
    if isinstance(value, list):
        return [_map_paths(name, one, change, folder) for one in value]
    if name in _PATHS and value != "-":
        return change(value)
    if name in _PATHS_OR_NAMES and (folder / value).exists() and value not in bundled_models():
        return change(value)
    if name == "feeds" and value.endswith(".npy"):
        feed, _, path = value.rpartition("=")
        return f"{feed}={change(path)}"
    return value


def write_config(path: Path, parameters: Sequence[Any], given: Mapping[str, Any]) -> None:
    """Write what was asked to a file that `read_config` reads, and that runs again.

    Args:
        path: File to write.
        parameters: Arguments and options of the command.
        given: Name of the parameter -> value, as the command line gave it.

    Raises:
        ParameterError: The file exists and differs, cannot be written, or a value is not Unicode.
    """
    from onnxcert.files.atomic import write_atomically

    try:
        content = "\n".join([*_lines(path, parameters, given), ""]).encode("utf-8")
    except UnicodeEncodeError:
        raise ParameterError(
            f"{path} cannot store a name that is not Unicode; rename the file, or leave "
            "--save-config out."
        ) from None
    try:
        if path.exists() and path.read_bytes() == content:
            return
        if path.exists():
            raise ParameterError(
                f"{path} exists and holds something else; give another file to --save-config, or "
                "delete it."
            )
        write_atomically(path, lambda temporary: temporary.write_bytes(content))
    except OSError as error:
        raise ParameterError(
            f"{path} cannot be written ({error.strerror}); give another file to --save-config."
        ) from None


def _lines(path: Path, parameters: Sequence[Any], given: Mapping[str, Any]) -> Iterator[str]:
    yield "# Run again: onnxcert certify --config FILE. Relative paths are relative to this file."
    folder = path.parent
    for key, parameter in _by_key(parameters).items():
        value = given.get(parameter.name)
        if value is None:
            continue
        value = list(value) if isinstance(value, tuple) else value
        # Names of existing files, as seen from the working folder, are paths.
        stored = _map_paths(parameter.name, value, lambda one: _relative(one, folder), Path())
        yield f"{key} = {_as_toml(stored, parameter)}"


def _relative(path: str, folder: Path) -> str:
    if os.path.isabs(path) or folder == Path():  # noqa: PTH117
        return path
    return os.path.relpath(path, folder)


def _as_toml(value: Any, parameter: Any) -> str:
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, list):
        return f"[{', '.join(_as_toml(one, parameter) for one in value)}]"
    if parameter.metavar in _NUMERIC and _TOML_NUMBER.fullmatch(value):
        # As `read_config` gives it, so that a file that is read and written again stays the same.
        return str(tomllib.loads(f"value = {value}")["value"])
    # JSON strings are strings of TOML, apart from DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
