"""What one run of the doctor is to do, as the doctor wrote it down."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Names the file with the plan; set by the doctor for the processes of its runs.
VARIABLE = "OUTPACE_DOCTOR_PLAN"


@dataclass
class Plan:
    """``docs/design/doctor.md`` says what each field does."""

    folder: Path
    lanes: list[list[str]] | None = None
    record: bool = True
    together: bool = False
    slow_motion: int | None = None
    slowed: bool = False
    undo: list[tuple[str, str]] = field(default_factory=list)
    bare: bool = False
    narrow: bool = False
    witness: bool = False
    memory: bool = False
    timeout: float = 0.0

    @classmethod
    def read(cls) -> Plan:
        with open(os.environ[VARIABLE], encoding="utf-8") as file:
            content: dict[str, Any] = json.load(file)
        content["folder"] = Path(content["folder"])
        content["undo"] = [(each["kind"], each["name"]) for each in content.get("undo", [])]
        return cls(**content)

    @property
    def wanted(self) -> list[str]:
        return [nodeid for lane in self.lanes or [] for nodeid in lane]


_ENCODE = json.JSONEncoder(check_circular=False).encode


class Journal:
    """An append-only file of JSON lines, one per process: a fork that writes opens its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._pid = 0
        self._fd = -1

    def write(self, **record: Any) -> None:
        self.write_line(_ENCODE(record))

    def write_line(self, text: str) -> None:
        """What is JSON already; several lines where they belong together."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            path = self._folder / f"{self._name}-{self._pid}.jsonl"
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.write(self._fd, text.encode("utf-8", "surrogateescape") + b"\n")
