"""``-p outpace.recording.where``: writes down where a run with these arguments keeps its history, and runs nothing."""

from __future__ import annotations

import json

import pytest

from outpace.controller.history import History

from .plan import Plan


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> bool:
    history = History(session.config)
    about = {
        "history": history.path(),
        "root": str(session.config.rootpath),
        "notices": history.notices,
    }
    (Plan.read().folder / "where.json").write_text(json.dumps(about), encoding="utf-8")
    session.items = []
    return True
