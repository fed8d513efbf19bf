import json
import platform
import time

import pytest


def test_shop(metadata):
    assert metadata["Shop"] == "basket"


def test_given(metadata):
    assert metadata["Build"] == "17"
    assert metadata["Branch"] == "main"


def test_from_file(metadata):
    assert metadata["Cluster"] == {"nodes": 3}


def test_secret_is_gone(metadata):
    assert "Secret" not in metadata


def test_python(metadata):
    assert metadata["Python"] == platform.python_version()


@pytest.fixture
def build(metadata):
    return metadata["Build"]


def test_wrong(build):
    assert build == "18"


def test_plugins(metadata):
    print(json.dumps(metadata["Packages"], sort_keys=True))
    assert "metadata" in metadata["Plugins"]


@pytest.mark.parametrize("number", range(4))
def test_work(number, metadata):
    time.sleep(0.01)
    assert metadata["Build"]
