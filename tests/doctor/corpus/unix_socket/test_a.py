import os
import socket
import tempfile
import time

PATH = os.path.join(tempfile.gettempdir(), "app.sock")


def test_a():
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(PATH)
        time.sleep(0.2)
    os.remove(PATH)
