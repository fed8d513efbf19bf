"""What the controller knows, and tells, of workers in sandboxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from outpace.marks import settings_of

if TYPE_CHECKING:
    from .nodes import Node
    from .session import OutpaceSession

# So many paths are listed, unless -v asks for all.
_MOST = 10


def add_options(group: Any) -> None:
    group.addoption(
        "--isolate",
        dest="outpace_isolate",
        metavar="KINDS",
        default=None,
        help="What each worker has of its own, with commas between: ports, tmp, files, ipc; or all, none (Linux).",
    )
    group.addoption(
        "--isolate-missing",
        dest="outpace_isolate_missing",
        choices=("fail", "ignore"),
        default=None,
        help="Where the system does not let workers be isolated: end the run (fail, the default) or go on without.",
    )


class Isolated:
    def __init__(self, session: OutpaceSession) -> None:
        self.session = session
        self.config = config = session.config
        self.given: dict[str, Any] | None = None
        if config.getoption("outpace_isolate") is not None or settings_of(config).isolate is not None:
            from outpace import isolation

            found = isolation.settings(config)
            if found.kinds:
                self.given = isolation.prepare(config, found.kinds, found)
        self.events: dict[str, Callable[..., None]] = {
            "isolated": self._on_isolated,
            "written": self._on_written,
            "contested": self._on_contested,
        }
        self._told: set[str] = set()
        # By path, the tests that wrote it, each with its worker; a look may come after several.
        self._written: dict[str, list[tuple[str, ...]]] = {}
        self._contested: dict[str, None] = {}

    def header(self) -> str:
        return f", each with its own {', '.join(self.given['kinds'])}" if self.given is not None else ""

    # -- what workers say

    def _on_isolated(self, node: Node, kinds: list[str], lacking: list[str], why: str) -> None:
        """Once each: what only tests asked for, and what could not be."""
        known = self.given["kinds"] if self.given is not None else []
        more = [kind for kind in kinds if kind not in known]
        if more:
            self._tell(f"each worker has its own {', '.join(more)}: tests are marked so")
        if lacking:
            self._tell(f"workers do not have their own {', '.join(lacking)}: {why}")

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.session.report_line(f"outpace: {text}")

    def _on_written(self, node: Node, tests: list[str], paths: list[str]) -> None:
        for path in paths:
            self._written.setdefault(path, []).append((node.gateway.id, *tests))

    def _on_contested(self, node: Node, paths: list[str]) -> None:
        self._contested.update(dict.fromkeys(paths))

    # -- the end

    def summarise(self, terminalreporter: Any) -> None:
        verbose = self.config.option.verbose
        if verbose < 0:
            return
        write = terminalreporter.write_line
        if self._written:
            keep = self._keep()
            fate = f"kept in {keep}" if keep else "thrown away"
            count = len(self._written)
            write(f"outpace: written in the project by tests, and {fate}: {count} path{'s' if count != 1 else ''}")
            shown = sorted(self._written)
            for path in shown if verbose > 0 else shown[:_MOST]:
                write(f"  {path}: {_by_whom(self._written[path])}")
            if count > _MOST and verbose <= 0:
                write(f"  and {count - _MOST} more (-v)")
            write("  to let a path through: pass-through = [...] in [tool.outpace.isolate]")
        for path in sorted(self._contested):
            write(f"outpace: {path} was changed by several workers; one of them had the last word", yellow=True)

    def _keep(self) -> str:
        if self.given is not None:
            return str(self.given["keep"])
        from outpace import isolation

        return isolation.settings(self.config).keep


def _by_whom(writers: list[tuple[str, ...]]) -> str:
    worker, *tests = writers[0]
    who = " or ".join(tests) if tests else "after its last test"
    more = len(writers) - 1
    return f"{who} ({worker})" + (f" and {more} more test{'s' if more != 1 else ''}" if more else "")
