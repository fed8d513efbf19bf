"""How many workers `-n auto` means."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from outpace.launch import Coordinator

# What decided the number, for the header.
reason = ""
# Whether that was the environment or a project's hook.
chosen_by_user = False


def usable_workers(config: pytest.Config, coordinator: Coordinator, xdist_says: object) -> object:
    """xdist's answer, no larger than the CPU quota of this process."""
    global reason, chosen_by_user
    reason, chosen_by_user = "", True
    if not isinstance(xdist_says, int):
        return xdist_says
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS", "").strip().lstrip("-").isdigit():
        reason = "PYTEST_XDIST_AUTO_NUM_WORKERS"
        return xdist_says
    own = {"xdist.plugin", "outpace.plugin"}
    hook = config.hook.pytest_xdist_auto_num_workers
    foreign = [each for each in hook.get_hookimpls() if getattr(each.plugin, "__name__", "") not in own]
    if foreign:
        reason = f"pytest_xdist_auto_num_workers of {foreign[-1].plugin_name}"
        return xdist_says
    chosen_by_user = False
    coordinator.welcome()
    if coordinator.cpu_quota is not None and coordinator.cpu_quota < xdist_says:
        reason = coordinator.cpus
        return coordinator.cpu_quota
    reason = f"{xdist_says} core{'s' if xdist_says != 1 else ''}"
    return xdist_says
