"""Fixtures of the tests of ``outpace init`` and ``outpace compare``: a project on disk, and the command."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

OUTPACE = Path(sys.executable).parent / "outpace"
LIMIT = 120.0


@dataclass(frozen=True)
class Ran:
    ret: int
    out: str
    err: str

    def match(self, *patterns: str) -> None:
        pytest.LineMatcher(self.out.splitlines()).fnmatch_lines(patterns)


class Shop:
    """A project folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, text: str) -> Path:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text).lstrip("\n"))
        return target

    def read(self, name: str) -> str:
        return (self.path / name).read_text()

    def tests(self, count: int = 6, name: str = "test_shop.py") -> Shop:
        mark = f"@pytest.mark.parametrize('i', range({count}))"
        self.write(name, f"import pytest\n\n{mark}\ndef test_one(i):\n    pass\n")
        return self

    def files(self) -> dict[str, bytes]:
        """Everything but what running tests leaves."""
        found = sorted(path for path in self.path.rglob("*") if path.is_file())
        kept = (p for p in found if not {"__pycache__", ".pytest_cache", ".git"} & set(p.parts))
        return {str(path.relative_to(self.path)): path.read_bytes() for path in kept}

    def outpace(
        self,
        *args: str,
        python: str | None = sys.executable,
        cwd: Path | None = None,
        user: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Ran:
        named = ["--python", python] if python else []
        return run([str(OUTPACE), *named, *args], cwd or self.path, user=user, env=env)

    def pytest(self, *args: str) -> Ran:
        return run([sys.executable, "-m", "pytest", *args], self.path)


def run(command: list[str], cwd: Path, user: int | None = None, env: Mapping[str, str] | None = None) -> Ran:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "OUTPACE_", "COV_"))}
    environ.pop("VIRTUAL_ENV", None)
    environ.update({"PY_COLORS": "0", "COLUMNS": "120", **(env or {})})
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        stdin=subprocess.DEVNULL,
        user=user,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop")
