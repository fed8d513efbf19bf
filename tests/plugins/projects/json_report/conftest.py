import pytest


@pytest.fixture(autouse=True)
def note(json_metadata, request):
    json_metadata["test name"] = request.node.name
    json_metadata["nested"] = {"list": [1, 2.5, None], "flag": True}


@pytest.hookimpl(optionalhook=True)
def pytest_json_modifyreport(json_report):
    json_report["shop"] = "basket"


@pytest.hookimpl(optionalhook=True)
def pytest_json_runtest_metadata(item, call):
    return {"phase " + call.when: item.originalname} if call.when == "call" else {}
