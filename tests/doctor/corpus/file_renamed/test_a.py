import os
import tempfile
import time

STATE = os.path.join(tempfile.gettempdir(), "state.json")


def test_a(tmp_path):
    fresh = tmp_path / "fresh"
    fresh.write_text("a")
    os.replace(fresh, STATE)
    time.sleep(0.03)
    with open(STATE) as file:
        assert file.read() == "a"
