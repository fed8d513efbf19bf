import pathlib
import tempfile

COUNTER = pathlib.Path(tempfile.gettempdir()) / "counter"


def read():
    return int(COUNTER.read_text()) if COUNTER.is_file() else 0


def test_down():
    before = read()
    COUNTER.write_text(str(before - 1))
    assert read() == before - 1
