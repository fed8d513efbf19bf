"""The project's settings for outpace: resources, overrides, what workers have of their own, databases.

Read by the controller before anything else happens, so that a mistake costs no run, and again where the tests are. A
project that has none pays for a look at its ``pyproject.toml`` only.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .databases.settings import Database
    from .isolation import Isolation
    from .pyproject import Override, Resource


class Settings:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.resources: dict[str, Resource] = {}
        self.overrides: list[Override] = []
        self.isolate: Isolation | None = None
        self.env: dict[str, str] = {}
        self.databases: dict[str, Database] = {}
        # For warm runs: globs of files that the tests depend on although no Python code opens them.
        self.depends_on: list[str] = []

    def resource(self, name: str) -> Resource:
        """There is one of what is not declared; of memory, what the machine has."""
        from . import amounts
        from .pyproject import Resource

        found = self.resources.get(name)
        if found is None:
            found = self.resources[name] = Resource(name, amounts.memory() if name == "memory" else 1)
        return found


def load(rootpath: Path) -> Settings:
    """Raises ``pytest.UsageError``."""
    settings = Settings(rootpath / "pyproject.toml")
    try:
        text = settings.path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return settings
    if "outpace" in text:
        from . import pyproject

        pyproject.read(settings, text)
    return settings
