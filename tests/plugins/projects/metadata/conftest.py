import json

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_metadata(metadata, config):
    metadata.pop("Secret", None)
    metadata["Shop"] = "basket"
    if hasattr(config, "workerinput"):
        metadata["From worker"] = "yes"


def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput"):
        session.config.workeroutput["mine"] = session.config.workerinput["workerid"]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    with open("nodes.jsonl", "a") as notes:
        output = node.workeroutput
        notes.write(json.dumps({"mine": output["mine"], "metadata": sorted(output["metadata"])}) + "\n")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    from pytest_metadata.plugin import metadata_key

    if not hasattr(config, "workerinput"):
        with open("metadata.json", "w") as notes:
            json.dump(config.stash[metadata_key], notes, sort_keys=True)
