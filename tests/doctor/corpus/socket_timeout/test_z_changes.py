import socket


def test_changes():
    socket.setdefaulttimeout(1)
    assert socket.socket().gettimeout() == 1
