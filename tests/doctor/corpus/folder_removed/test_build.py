import pathlib
import tempfile
import time

BUILD = pathlib.Path(tempfile.gettempdir()) / "build"


def test_build():
    BUILD.mkdir(exist_ok=True)
    (BUILD / "a.o").write_text("object")
    time.sleep(0.2)
    assert (BUILD / "a.o").read_text() == "object"
