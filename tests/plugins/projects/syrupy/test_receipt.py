import pytest
from syrupy.extensions.json import JSONSnapshotExtension


def receipt(*lines):
    return {"lines": [{"name": name, "price": price} for name, price in lines], "total": sum(p for _, p in lines)}


def test_one_line(snapshot):
    assert receipt(("pen", 3)) == snapshot


@pytest.mark.parametrize("price", [1, 2, 3, 4])
def test_prices(snapshot, price):
    assert receipt(("ink", price)) == snapshot


def test_named(snapshot):
    assert receipt(("pen", 1)) == snapshot(name="first")
    assert receipt(("pen", 2)) == snapshot(name="second")


def test_changed(snapshot):
    assert receipt(("cup", 5)) == snapshot


def test_new(snapshot):
    assert receipt(("new", 1)) == snapshot


def test_text(snapshot):
    assert "two\nlines" == snapshot


@pytest.mark.skip(reason="printer is off")
def test_skipped(snapshot):
    assert receipt(("skip", 1)) == snapshot


class TestJson:
    @pytest.fixture
    def snapshot(self, snapshot):
        return snapshot.use_extension(JSONSnapshotExtension)

    @pytest.mark.parametrize("name", ["pen", "ink"])
    def test_json(self, snapshot, name):
        assert receipt((name, 9)) == snapshot


def test_no_snapshot():
    assert receipt()["total"] == 0
