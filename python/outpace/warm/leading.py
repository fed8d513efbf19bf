"""The libraries that the first conftest begins with: imported ahead of it, in a fork of the process below all layers.

They are what that conftest would import first in any case, and are imported with the search path that it had. Where
that could be told from importing them in their place (a warning, output, a thread, a module of the project, code that
names the worker's id) the fork ends, and they are imported in each run.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import signal
import sys
import types
import warnings
from typing import TYPE_CHECKING, Any

from outpace import forked_start
from outpace.recording.places import Project
from outpace.worker import detect

from . import doors, recorder

if TYPE_CHECKING:
    import pytest


def found(config: pytest.Config) -> dict[str, Any] | None:
    """In a configured process: the first conftest, the lines of its first imports up to the first one of the project,
    and where they were searched for."""
    files = (str(getattr(plugin, "__file__", None)) for _, plugin in config.pluginmanager.list_name_plugin())
    path = next((file for file in files if os.path.basename(file) == "conftest.py"), None)
    if path is None:
        return None
    project = Project([str(config.rootpath)])
    imports = doors.first_imports(path, lambda statement: _is_of_libraries(statement, project))
    if imports is None or not imports[0]:
        return None
    search = [each for each in sys.path if isinstance(each, str)]
    return {"path": path, "begins": imports[0], "search": search}


def _is_of_libraries(statement: ast.stmt, project: Project) -> bool:
    if isinstance(statement, ast.Import):
        names = [alias.name for alias in statement.names]
    elif isinstance(statement, ast.ImportFrom) and statement.level == 0:
        names = [f"{statement.module}.{alias.name}" for alias in statement.names] + [str(statement.module)]
    else:
        return False
    parents = {name.partition(".")[0] for name in names}
    return not any(_is_of_project(sys.modules.get(name), project) for name in {*names, *parents})


def _is_of_project(module: types.ModuleType | None, project: Project) -> bool:
    file = getattr(module, "__file__", None)
    folders = [file] if isinstance(file, str) else [str(each) for each in getattr(module, "__path__", ())]
    return any(project.owns(each) for each in folders)


def do(config: pytest.Config, path: str, begins: str, search: list[str]) -> bool:
    """Whether it is as if that conftest had done it."""
    before, seen = set(sys.modules), _seen()
    if not _is_silent(path, begins, search):
        return False
    project = Project([str(config.rootpath)])
    modules = [module for name, module in list(sys.modules.items()) if name not in before]
    return (
        bool(modules)
        and _seen() == seen
        and not recorder.has_read(path)
        and not any(_is_of_project(each, project) or forked_start.names_worker(each) for each in modules)
        and not any((*detect.threads(), *detect.libraries()))
    )


def _seen() -> list[Any]:
    """What forks have anew: bytes written to the streams (files, as long as this is no run), and the handler."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return [*(os.fstat(fd).st_size for fd in (1, 2)), signal.getsignal(signal.SIGINT)]


def _is_silent(path: str, begins: str, search: list[str]) -> bool:
    """Whether they can be imported, and nobody warns or changes what is warned of."""
    spec = importlib.util.spec_from_file_location("conftest", path)
    if spec is None:
        return False
    was = list(sys.path)
    sys.path[:] = search
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            filters = list(warnings.filters)
            exec(compile(begins, path, "exec", dont_inherit=True), vars(importlib.util.module_from_spec(spec)))
            silent = not warned and filters == list(warnings.filters) and sys.path == search
    except BaseException:
        return False
    sys.path[:] = was
    for folder in {*search} - {*was}:
        sys.path_importer_cache.pop(folder, None)  # it may have changed by the time that it is searched again
    return silent
