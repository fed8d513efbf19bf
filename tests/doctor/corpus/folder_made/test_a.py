import os
import tempfile
import time


def test_a():
    path = os.path.join(tempfile.gettempdir(), "workdir")
    os.mkdir(path)
    time.sleep(0.2)
    os.rmdir(path)
