"""A ``pytest -n …`` in a project with ``warm = true`` becomes the ``outpace`` command, whose server makes the run.

Looked at once, when the plugin is imported and before the rest of it is: nothing of the project has been imported then.
The command replaces this process, with its terminal, signals, folder, limits and the environment that it was started
with; no variable says so, and what it starts comes in through :mod:`outpace.entry`, which says it here.

This must not happen to any other program that calls pytest, and not where something of this process would be lost. A
project without that setting pays for one look at its ``pyproject.toml``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING

from . import entry

if TYPE_CHECKING:
    import pytest

# The same as the binary's, which looks from the same folder.
_MARKERS = ("pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg", "setup.py", ".git")
# Whose functions have been entered while pytest reads its command line.
_OF_PYTEST = ("__main__", "_frozen_importlib", "_pytest", "importlib", "outpace", "pluggy", "pytest", "runpy")
# In their environment a test runs.
_OF_TESTS = (b"PYTEST_XDIST_WORKER", b"PYTEST_CURRENT_TEST")
# Whose runs have no workers.
_SERIAL = {
    *("--collect-only", "--co", "--fixtures", "--funcargs", "--fixtures-per-test", "--markers"),
    *("--help", "-h", "--version", "-V", "--looponfail", "-f"),
}
# Options of the interpreter without a value that the layers' interpreter has as well.
_KEPT_FLAGS = frozenset("bBEIOPqRsSu")


def consider() -> None:
    """Returns where this process goes on with the run."""
    if entry.is_entered or sys.platform != "linux" or not _is_warm():
        return
    from . import forked_start, pytest_private

    if not forked_start.is_program():
        return
    callers = list(_callers())
    config = pytest_private.config_being_made(callers)
    if config is None or not _asks_for_workers(words := _words(config)):
        return
    environment = _environment()
    if environment is None or _is_ci(environment.get(b"CI", b"")) or any(name in environment for name in _OF_TESTS):
        return
    if not forked_start.is_traced() and not all(_is_of_pytest(frame) for frame in callers):
        return  # another program's, which is in this process
    flags = _flags()
    if flags is None:
        return
    entry.note = f"not warm: {_shown(words) or _lost(flags) or _become(environment, flags, _folder())}"


def _become(environment: dict[bytes, bytes], flags: Sequence[str], folder: str) -> str:
    """Does not return, unless there is something to say."""
    from . import launch

    try:
        binary = launch.find_binary()
    except launch.LaunchError:
        return "the outpace binary is missing"
    program = [sys.executable, sys.argv[0], folder, str(len(flags)), *flags]
    try:
        os.execve(binary, [binary, "__pytest", *program, *sys.argv[1:]], environment)
    except OSError as error:
        return f"the outpace binary could not be started: {error}"


# ---------------------------------------------------------------- whether it is wanted


def _is_warm() -> bool:
    """Whether the project of this folder says so."""
    try:
        folder = os.getcwd()
    except OSError:
        return False
    while not any(os.path.exists(os.path.join(folder, name)) for name in _MARKERS):
        above = os.path.dirname(folder)
        if above == folder:
            return False
        folder = above
    try:
        with open(os.path.join(folder, "pyproject.toml"), "rb") as file:
            text = file.read()
    except OSError:
        return False
    return b"outpace" in text and b"warm" in text and _says_warm(text)


def _says_warm(text: bytes) -> bool:
    from .pyproject import toml

    try:
        return toml(text.decode())["tool"]["outpace"]["warm"] is True
    except (ValueError, LookupError, TypeError):  # said by whoever needs more of it
        return False


def _words(config: pytest.Config) -> list[str]:
    """The command line, after what is put in front of it."""
    import shlex

    return [
        *(str(word) for word in config.getini("addopts")),
        *shlex.split(os.environ.get("PYTEST_ADDOPTS", "")),
        *(str(word) for word in config.invocation_params.args),
    ]


def _asks_for_workers(words: Sequence[str]) -> bool:
    """A guess as good as it can be before xdist's options are known; the run itself decides once more."""
    number = None
    rest = iter(words)
    for word in rest:
        if word == "--":
            break
        if word in _SERIAL:
            return False
        if word in ("-n", "--numprocesses"):
            number = next(rest, None)
        elif word.startswith("--numprocesses="):
            number = word.partition("=")[2]
        elif word.startswith("-n"):
            number = word[2:].lstrip("=")
    return number not in (None, "0")


def _is_ci(value: bytes) -> bool:
    return value not in (b"", b"false", b"0")


# ---------------------------------------------------------------- whether it is possible


def _callers() -> Iterator[FrameType]:
    """Every frame below those of this module."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__") != __name__:
            yield frame
        frame = frame.f_back


def _is_of_pytest(frame: FrameType) -> bool:
    name = str(frame.f_globals.get("__name__"))
    return name.partition(".")[0] in _OF_PYTEST or name == "_frozen_importlib_external"


def _shown(words: Sequence[str]) -> str | None:
    """What is not worth asking the server."""
    for word in words:
        if word in ("--pdb", "--trace"):
            return f"{word} needs the terminal"
        if word in ("-s", "--capture=no"):
            return "its output is shown as it comes"
        if word == "--cov" or word.startswith("--cov="):
            return "its coverage is measured"
    return None


def _lost(flags: Sequence[str]) -> str | None:
    """What of this process another program in its place would not have."""
    from . import forked_start
    from .warm.recorder import temporary_folders
    from .worker import process_facts

    if forked_start.is_traced():
        return "this process is traced"
    if sys.flags.inspect or sys.flags.interactive:
        return "Python becomes interactive at its end"
    if not sys.executable or not _all_kept(flags):
        return f"Python was started with {' '.join(flags)}"
    has_folder = not sys.flags.isolated and not getattr(sys.flags, "safe_path", False)
    if has_folder and _folder() not in sys.path:
        return "sys.path was changed"
    if len(os.listdir("/proc/self/task")) > 1:
        return "there are threads before conftests are imported"
    for name in process_facts.children().values():
        return f"a child process is alive: {name}"
    folders = temporary_folders()
    return f"a temporary folder is removed at the end: {folders[0]}" if folders else None


def _environment() -> dict[bytes, bytes] | None:
    """What this process was started with: pytest and others have added to it."""
    pairs = [each.partition(b"=") for each in _of_kernel("environ")]
    return {name: value for name, _, value in pairs} if pairs else None


def _of_kernel(name: str) -> list[bytes]:
    try:
        with open(f"/proc/self/{name}", "rb") as file:
            return file.read().split(b"\0")[:-1]
    except OSError:
        return []


def _flags() -> list[str] | None:
    """The interpreter's own options; None where it was not started for pytest's own command."""
    words = [os.fsdecode(word) for word in _of_kernel("cmdline")]
    start = len(words) - len(sys.argv)
    if start < 1 or words[start + 1 :] != sys.argv[1:]:
        return None
    flags = words[1:start]
    if _is_module():
        # `-m pytest`, with other letters in front of the `m` or without.
        if words[start] != "pytest" or not flags or not flags[-1].startswith("-") or not flags[-1].endswith("m"):
            return None
        flags[-1] = flags[-1][:-1]
        if flags[-1] == "-":
            del flags[-1]
    elif words[start] != sys.argv[0]:
        return None
    return flags


def _all_kept(flags: Sequence[str]) -> bool:
    rest = iter(flags)
    for word in rest:
        if word == "--check-hash-based-pycs":
            next(rest, None)
            continue
        if len(word) < 2 or not word.startswith("-"):
            return False
        for place, letter in enumerate(word[1:], start=2):
            if letter in "WX":
                if place == len(word):
                    next(rest, None)
                break
            if letter not in _KEPT_FLAGS:
                return False
    return True


def _is_module() -> bool:
    return getattr(sys.modules["__main__"], "__spec__", None) is not None


def _folder() -> str:
    """Where Python first looks for modules, unless it was told not to."""
    return os.getcwd() if _is_module() else os.path.dirname(os.path.realpath(sys.argv[0]))
