"""What outpace leaves to xdist itself."""

from __future__ import annotations

from typing import Any

import pytest


def obstacle(config: pytest.Config) -> str | None:
    """Why this distributed run must be plain xdist's; None when outpace can run it."""
    specs = _specs(config)
    for spec in specs:
        kind = spec.split("//", 1)[0]
        if kind != "popen":
            return f"`--tx {spec}` is not a process on this machine"
    if config.getoption("px", None):
        return "`--px` names a proxy"
    if config.getoption("rsyncdir", None):
        return "`--rsyncdir` copies to other machines"
    if any("chdir=" in spec or "python=" in spec or "env:" in spec for spec in specs):
        return "`--tx popen//…` asks for another interpreter, folder or environment"
    if config.hook.pytest_xdist_getremotemodule.get_hookimpls():
        return "a plugin brings its own worker module (pytest_xdist_getremotemodule)"
    return None


def _specs(config: pytest.Config) -> list[str]:
    """``--tx``, each multiple written out."""
    from xdist import workermanage

    module: Any = workermanage
    parse = getattr(module, "parse_tx_spec_config", None) or module.parse_spec_config  # the latter in xdist 3.6
    specs: list[str] = parse(config)
    return specs
