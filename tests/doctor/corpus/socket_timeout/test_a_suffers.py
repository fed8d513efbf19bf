import socket


def test_suffers():
    assert socket.socket().gettimeout() is None
