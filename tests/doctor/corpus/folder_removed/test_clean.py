import pathlib
import shutil
import tempfile
import time

BUILD = pathlib.Path(tempfile.gettempdir()) / "build"


def test_clean():
    time.sleep(0.02)
    shutil.rmtree(BUILD, ignore_errors=True)
    assert not BUILD.exists()
