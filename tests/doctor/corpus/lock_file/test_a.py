import os
import tempfile
import time

LOCK = os.path.join(tempfile.gettempdir(), "app.lock")


def test_a():
    os.close(os.open(LOCK, os.O_CREAT | os.O_EXCL))
    try:
        time.sleep(0.2)
    finally:
        os.remove(LOCK)
