"""Plugins that sum up a session, where each test has a session of its own: nothing is missing at the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import test_coverage, test_values
from .lab import ENGINE, ISOLATED, Lab, Mode

pytestmark = pytest.mark.skipif(ENGINE == "xdist", reason="outpace's own")


@pytest.mark.parametrize(
    "check",
    [
        test_coverage.test_statements,
        test_coverage.test_branches_and_contexts,
        test_coverage.test_reports,
        test_coverage.test_fail_under,
        test_coverage.test_no_data_file_is_left,
        test_values.test_syrupy_report,
        test_values.test_syrupy_update,
    ],
    ids=lambda check: check.__name__,
)
def test_as_with_any_worker(lab: Lab, check: Callable[[Lab, Mode], None]) -> None:
    check(lab, ISOLATED)
