import json
import time

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    worker = getattr(item.config, "workerinput", {}).get("workerid", "master")
    with open(f"ran-{worker}.jsonl", "a") as notes:
        notes.write(json.dumps(item.nodeid) + "\n")
    time.sleep(0.005)
