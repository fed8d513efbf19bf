"""Every step needs the one before it, in the same process: right only when the file stays together and in order."""

import pytest

done = []


@pytest.mark.order(3)
def test_ship():
    assert done == ["create", "pay"]
    done.append("ship")


@pytest.mark.order(1)
def test_create():
    assert done == []
    done.append("create")


@pytest.mark.order(2)
def test_pay():
    assert done == ["create"]
    done.append("pay")


@pytest.mark.order(4)
def test_archive():
    assert done == ["create", "pay", "ship"]
