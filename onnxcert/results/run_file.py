"""The parameters of a run in `run.json`: read, validate and compare them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from onnxcert.errors import StoreError, refuse_machine_failure
from onnxcert.files.regular import read_regular_file
from onnxcert.results import encoding
from onnxcert.sampling.draws import FLOAT32_GENERATORS

RUN_TYPE: Final = "onnxcert-run"
RUN_VERSION: Final = 1
LEAKY: Final = "one_draw_per_pass"  # true once the batch-invariance check has failed

_MOST_BYTES: Final = 2**28  # the names of a million inputs


def read_run_file(path: Path) -> dict[str, Any] | None:
    """Return the content of `run.json` at `path`, or None if there is no such file.

    Raises:
        AccessError: the operating system cannot read the file.
        StoreError: onnxcert did not write the file.
    """
    try:
        text = read_regular_file(path, limit=_MOST_BYTES).decode("utf-8")
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise StoreError(
            f"{path.parent} is a file or below a file, but a folder was expected; choose another "
            "folder with --out."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        refuse_machine_failure(path, error)
        raise StoreError(f"{path} cannot be read ({error}); choose another folder.") from None
    return read_run(text, path)


def read_run(text: str, where: Path) -> dict[str, Any]:
    """Parse a `run.json`: `seed`, `parameters`, type and version.

    Args:
        text: content of the file.
        where: path of the file, for messages.

    Raises:
        StoreError: the file was not written by onnxcert, or by another version.
    """
    try:
        run = json.loads(text)
    except (ValueError, RecursionError):
        run = None
    if (
        not isinstance(run, dict)
        or run.get(encoding.TYPE) != RUN_TYPE
        or not isinstance(run.get("parameters"), dict)
        or not isinstance(run.get("seed"), int)
        or not _are_strings(run.get("listed", []), list)
        or not _are_strings(run.get("skipped", {}), dict)
    ):
        raise StoreError(f"{where} was not written by onnxcert; choose another folder.")
    if run.get(encoding.VERSION) != RUN_VERSION:
        raise StoreError(
            f"{where} has {encoding.VERSION} {run.get(encoding.VERSION)!r}, this onnxcert reads "
            f"{RUN_VERSION}; use the onnxcert that wrote it, or another folder."
        )
    return run


def _are_strings(value: Any, kind: type[list[Any]] | type[dict[Any, Any]]) -> bool:
    texts = value.values() if isinstance(value, dict) else value
    return isinstance(value, kind) and all(isinstance(text, str) for text in texts)


def refuse_old_generator(parameters: Mapping[str, Any], folder: Path) -> None:
    """Raise StoreError if `parameters` names a noise generator of an earlier version."""
    if parameters.get("generator") in FLOAT32_GENERATORS:
        raise StoreError(
            f"{folder} holds a run of an earlier version, whose noise ({parameters['generator']}) "
            "this version cannot draw; start the run again in another folder with --out (the "
            "results here stay as they are)."
        )


def new_run(parameters: Mapping[str, Any], seed: int, *, leaky: bool) -> dict[str, Any]:
    """Return the content of a new `run.json`."""
    return {
        encoding.TYPE: RUN_TYPE,
        encoding.VERSION: RUN_VERSION,
        "seed": seed,
        "parameters": dict(parameters),
        **({LEAKY: True} if leaky else {}),
    }


def check_parameters(
    stored: Mapping[str, Any], parameters: Mapping[str, Any], seed: int | None, folder: Path
) -> int:
    """Return the seed of the `stored` run of `folder`.

    Raises:
        StoreError: `parameters` or `seed` differs from the stored run; the difference is named.
    """
    old = {**stored["parameters"], "seed": stored["seed"]}
    new = {**json.loads(json.dumps(dict(parameters))), "seed": old["seed"]}
    if seed is not None:
        new["seed"] = seed
    refuse_old_generator(old, folder)
    changed = describe_difference(old, new, "now {} was requested")
    if changed:
        raise StoreError(
            f"{folder} holds a run with {changed}; choose another folder with "
            "--out, or use the same settings."
        )
    return int(old["seed"])


def describe_difference(one: Mapping[str, Any], other: Mapping[str, Any], template: str) -> str:
    """Describe the first parameter that differs and count the others; empty if none differs.

    Args:
        one: parameters by name.
        other: the parameters to compare with.
        template: format of the value in `other`; `{}` is the value.
    """
    one, other = _flatten(one), _flatten(other)
    changed = [
        f"{name} {_format(one.get(name))}, {template.format(_format(other.get(name)))}"
        for name in sorted(set(one) | set(other))
        if one.get(name) != other.get(name)
    ]
    if not changed:
        return ""
    return changed[0] + (f" (and {len(changed) - 1} more differences)" if changed[1:] else "")


def _flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten nested objects; their entries are named like `contract frame`."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= {f"{name} {key}": entry for key, entry in value.items()}
        else:
            found[name] = value
    return found


def _format(value: Any) -> str:
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value)
