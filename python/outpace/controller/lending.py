"""Lending the terminal to a worker that stops in a debugger.

The worker is made the foreground process group of the terminal, as a shell does it with a job, and opens the terminal
itself: keys, Ctrl-C, the window's size and the line editor are then what they are in a serial run. Until the terminal
is returned this process prints nothing: messages are read, so that nobody has to wait, and handled afterwards.
"""

from __future__ import annotations

import contextlib
import os
import signal
import termios
from typing import TYPE_CHECKING, Any

from outpace import debugger, pytest_private
from outpace.wire import Closed, Frame, Kind, WireError

if TYPE_CHECKING:
    from .session import OutpaceSession


class NoTerminal(Exception):
    """There is none to lend; the message says why."""


class Loan:
    """The terminal, from when a process group has it until it is taken back."""

    def __init__(self, fd: int, pid: int) -> None:
        """Raises ``NoTerminal``."""
        self._fd = fd
        if not os.isatty(fd):
            raise NoTerminal("standard input is not a terminal")
        try:
            self._attributes = termios.tcgetattr(fd)
            self.path = self._device()
            if self._controls:
                # In the background this stops the process until it is brought to the foreground.
                os.tcsetpgrp(fd, os.getpgid(pid))
        except (OSError, termios.error) as error:
            raise NoTerminal(f"the terminal cannot be lent ({error})") from error

    def _device(self) -> str:
        """Its name, and whether Ctrl-C on it is for the foreground process group."""
        try:
            os.tcgetpgrp(self._fd)
        except OSError:
            self._controls, self.group = False, 0
            return os.ttyname(self._fd)
        self._controls, self.group = True, os.getpgrp()
        return "/dev/tty"

    def end(self) -> None:
        """Take the terminal back, in whatever state it was left."""
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        try:
            if self._controls:
                with contextlib.suppress(OSError):
                    os.tcsetpgrp(self._fd, self.group)
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._fd, termios.TCSANOW, self._attributes)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


class Lending:
    def __init__(self, session: OutpaceSession) -> None:
        self.session = session
        # Failures that --pdb could not show in a debugger, and why.
        self._not_shown: list[tuple[str, str]] = []
        # Where workers wanted a debugger before their sessions began.
        self.passed_over: dict[str, None] = {}

    def lend(self, wanted: dict[str, Any]) -> None:
        """A worker is to have the terminal; returns when it is back."""
        session, turn = self.session, wanted["turn"]
        stdin = pytest_private.descriptors_of(session.config, 0)[0][0]
        try:
            if session.ending.is_early:
                raise NoTerminal("the run is being stopped")
            if os.isatty(stdin):
                if session.live is not None:
                    session.live.pump()
                self._announce(wanted)
            loan = Loan(stdin, wanted["pid"])
        except NoTerminal as error:
            session.coordinator.send(Kind.LENT, turn=turn, path=None, why=str(error), pause=False, group=0)
            return
        unread: list[Frame] = []
        try:
            pause = debugger.others_wait(session.config)
            session.coordinator.send(Kind.LENT, turn=turn, path=loan.path, why="", pause=pause, group=loan.group)
            self._wait(turn, unread)
        except (Closed, WireError) as error:
            loan.end()
            session.ending.coordinator_died(error)
        finally:
            loan.end()
            session.coordinator.channel.put_back(unread)

    def _wait(self, turn: int, unread: list[Frame]) -> None:
        coordinator = self.session.coordinator
        while True:
            # What is shown live waits in its pipes meanwhile.
            frame = coordinator.receive(lambda fd: self.session.interrupts.wait([fd]))
            if frame.kind == Kind.RETURNED and int(turn) == _turn(frame):
                return
            unread.append(frame)
            if frame.kind == Kind.FATAL:
                return

    def _announce(self, wanted: dict[str, Any]) -> None:
        terminal = self.session.terminal
        if terminal is None:
            return
        who, item, ids = f"gw{wanted['worker']}", wanted["item"], self.session._ids
        what = ids[item] if item is not None and item < len(ids) else wanted["doing"]
        if not ids:
            who = "the process that collects the tests"
        waiting = wanted["waiting"]
        more = f", {waiting} more wait{'s' if waiting == 1 else ''} for it" if waiting else ""
        terminal.write_line("")  # the line of dots goes on after it
        terminal.write_sep(">", f"outpace: {who} has the terminal{': ' if what else ''}{what}{more}")
        terminal.flush()

    # -- what --pdb did

    def told(self, nodeid: str, when: str | None, why: str) -> None:
        """A debugger has shown a failure, or could not (``why``)."""
        if why:
            self._not_shown.append((nodeid, why))
            return
        terminal = self.session.terminal
        if terminal is None:
            return
        for category in ("failed", "error"):
            for report in reversed(terminal.stats.get(category, [])):
                if report.nodeid == nodeid and getattr(report, "when", None) == when:
                    pytest_private.mark_shown(report)
                    return

    def summarise(self, terminal: Any) -> None:
        for place in self.passed_over:
            terminal.write_line(
                f"outpace: no worker stopped at {place}: a debugger there is for runs without workers, pytest -n 0 -s",
                yellow=True,
            )
        if not self._not_shown:
            return
        (nodeid, why), count = self._not_shown[0], len(self._not_shown)
        failures = f"{count} failure{'s were' if count != 1 else ' was'}"
        terminal.write_line(f"outpace: {failures} not debugged: {why}", yellow=True)
        terminal.write_line(f'    run such a test by itself: pytest -n 0 --pdb "{nodeid}"', yellow=True)


def _turn(frame: Frame) -> int:
    import json

    return int(json.loads(frame.payload)["turn"])
