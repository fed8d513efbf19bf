"""What projects and plugins import from xdist, or ask ``importlib.metadata`` about (contract 0.7)."""

from __future__ import annotations

from importlib.metadata import version

import pytest
import xdist
import xdist.newhooks
from xdist.dsession import DSession, LoadScheduling
from xdist.plugin import pytest_xdist_auto_num_workers
from xdist.remote import Producer
from xdist.report import report_collection_diff
from xdist.scheduler import EachScheduling, LoadFileScheduling, LoadGroupScheduling, WorkStealingScheduling
from xdist.scheduler.loadscope import LoadScopeScheduling
from xdist.workermanage import NodeManager, WorkerController

try:
    from xdist.workermanage import parse_tx_spec_config
except ImportError:  # xdist 3.6
    from xdist.workermanage import parse_spec_config as parse_tx_spec_config

FUNCTIONS = [pytest_xdist_auto_num_workers, report_collection_diff, parse_tx_spec_config, xdist.is_xdist_worker,
             xdist.is_xdist_controller, xdist.get_xdist_worker_id, xdist.newhooks.pytest_handlecrashitem]  # fmt: skip
CLASSES = [DSession, LoadScheduling, Producer, EachScheduling, LoadFileScheduling, LoadGroupScheduling, NodeManager,
           WorkStealingScheduling, LoadScopeScheduling, WorkerController]  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function(function: object) -> None:
    assert callable(function)


@pytest.mark.parametrize("cls", CLASSES)
def test_class(cls: object) -> None:
    assert isinstance(cls, type)


def test_names_that_mean_the_same() -> None:
    assert xdist.is_xdist_master is xdist.is_xdist_controller


def test_distribution_is_found() -> None:
    assert version("pytest-xdist") == xdist.__version__
