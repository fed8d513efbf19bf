import pathlib
import tempfile
import time

SETTINGS = pathlib.Path(tempfile.gettempdir()) / "settings.ini"


def test_saves():
    SETTINGS.write_text("on")
    time.sleep(0.2)
    SETTINGS.unlink()
