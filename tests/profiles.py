"""How many examples hypothesis tries: 20 in profile `dev` (--hypothesis-profile=dev), else all."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

settings.register_profile("ci", deadline=None)
settings.register_profile("dev", deadline=None, max_examples=20)
settings.load_profile("ci")


def examples(count: int, **more: Any) -> settings:
    """So many examples in profile `ci`, at most 20 in `dev`."""
    most = settings.default.max_examples
    return settings(max_examples=min(count, most) if most == 20 else count, **more)
