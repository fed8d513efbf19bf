"""What outpace leaves to xdist itself."""

from __future__ import annotations

import pytest


def obstacle(config: pytest.Config) -> str | None:
    """Why this distributed run must be plain xdist's; None when outpace can run it."""
    from xdist.workermanage import parse_tx_spec_config

    for spec in parse_tx_spec_config(config):
        kind = spec.split("//", 1)[0]
        if kind != "popen":
            return f"`--tx {spec}` is not a process on this machine"
    if config.getoption("px", None):
        return "`--px` names a proxy"
    if config.getoption("rsyncdir", None):
        return "`--rsyncdir` copies to other machines"
    if any("chdir=" in spec or "python=" in spec or "env:" in spec for spec in parse_tx_spec_config(config)):
        return "`--tx popen//…` asks for another interpreter, folder or environment"
    if config.hook.pytest_xdist_getremotemodule.get_hookimpls():
        return "a plugin brings its own worker module (pytest_xdist_getremotemodule)"
    return None
