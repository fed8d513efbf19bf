"""What the coordinator found when it looked at a process, in words for people.

The stacks come as ``faulthandler`` writes them: threads, each with its innermost frame first, the main thread last;
after them the ``asyncio`` tasks in the same form. This module only reads text and source files.
"""

from __future__ import annotations

import linecache
import os
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEADING = re.compile(r"^(?P<title>.*?) ?\(most recent call first\):$")
_FRAME = re.compile(r'^\s*File "(?P<file>.*)", line (?P<line>\d+|\?\?\?) in (?P<name>.*)$')
# Below these there is only what runs the test.
_MACHINERY = ("_pytest", "pluggy", "outpace", "xdist")
_TASK = "asyncio task "
_PATHS = sysconfig.get_paths()
_LIBRARIES = tuple(_PATHS[name] + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib"))


@dataclass
class Frame:
    file: str
    line: int
    name: str

    def where(self, root: str) -> str:
        return f"{self.shown(root)}:{self.line} in {self.name}"

    def shown(self, root: str) -> str:
        return os.path.relpath(self.file, root) if self.is_of(root) else self.file

    def is_of(self, root: str) -> bool:
        """Whether it is the project's own code."""
        file = self.file
        inside = file.startswith(root.rstrip(os.sep) + os.sep)
        return inside and "site-packages" not in file and not file.startswith(_LIBRARIES)

    def is_machinery(self) -> bool:
        return any(part in _MACHINERY for part in os.path.dirname(self.file).split(os.sep)) or self.file in (
            "<string>",
            "<frozen runpy>",
        )

    def lines(self, root: str) -> Iterator[str]:
        yield f'  File "{self.shown(root)}", line {self.line}, in {self.name}'
        source = linecache.getline(self.file, self.line).strip()
        if source:
            yield f"    {source}"


@dataclass
class Stack:
    """One thread or task, innermost frame first."""

    title: str
    frames: list[Frame] = field(default_factory=list)

    def own_line(self, root: str) -> Frame | None:
        return next((frame for frame in self.frames if frame.is_of(root) and not frame.is_machinery()), None)

    def lines(self, root: str, *, main: bool) -> Iterator[str]:
        frames = list(self.frames)
        if main:
            while frames and frames[-1].is_machinery():
                frames.pop()
            frames = frames or self.frames[:10]
        yield f"{'Main thread' if main else self.title} (most recent call last):"
        for frame in reversed(frames):
            yield from frame.lines(root)


@dataclass
class Stacks:
    threads: list[Stack]
    tasks: list[Stack]
    # Why there are none.
    note: str = ""

    @classmethod
    def parse(cls, text: str) -> Stacks:
        threads: list[Stack] = []
        tasks: list[Stack] = []
        notes: list[str] = []
        current: Stack | None = None
        for line in text.splitlines():
            heading, frame = _HEADING.match(line), _FRAME.match(line)
            if heading is not None:
                current = Stack(heading["title"].strip())
                (tasks if current.title.startswith(_TASK) else threads).append(current)
            elif frame is not None and current is not None:
                number = int(frame["line"]) if frame["line"].isdigit() else 0
                current.frames.append(Frame(frame["file"], number, frame["name"]))
            elif line.strip() and current is None:
                notes.append(line.strip())
        return cls(threads, tasks, " ".join(notes))

    def where(self, root: str) -> str:
        """The innermost line of the project's own code; what a loop waits for comes before the loop."""
        stacks = [*self.tasks, *self.threads[-1:], *self.threads[:-1]]
        for stack in stacks:
            frame = stack.own_line(root)
            if frame is not None:
                return f"at {frame.where(root)}"
        for stack in self.threads[-1:]:
            if stack.frames:
                return f"at {stack.frames[0].where(root)}"
        return self.note

    def lines(self, root: str) -> Iterator[str]:
        if self.note:
            yield self.note
        main = self.threads[-1:]
        for stack in main:
            yield from stack.lines(root, main=True)
        for stack in self.tasks:
            yield from stack.lines(root, main=False)
        for stack in self.threads[:-1]:
            yield from stack.lines(root, main=False)
