"""What the options' ini values have in common."""

from __future__ import annotations

from collections.abc import Sequence

import pytest


def choice(config: pytest.Config, name: str, choices: Sequence[str]) -> str:
    """Raises ``pytest.UsageError`` for any other value."""
    value: str = config.getini(name)
    if value not in choices:
        raise pytest.UsageError(f"{name} = {value!r} in {config.inipath}: choose from {', '.join(choices)}")
    return value
