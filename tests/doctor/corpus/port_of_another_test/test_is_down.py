import socket
import time

import pytest


def test_is_down():
    time.sleep(0.02)
    with socket.socket() as client, pytest.raises(ConnectionRefusedError):
        client.connect(("127.0.0.1", 45872))
