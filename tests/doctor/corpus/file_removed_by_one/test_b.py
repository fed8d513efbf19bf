import pathlib
import tempfile
import time

SETTINGS = pathlib.Path(tempfile.gettempdir()) / "settings.ini"


def test_starts_without_settings():
    time.sleep(0.02)
    assert not SETTINGS.exists()
