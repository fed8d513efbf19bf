import os


def test_changes():
    os.umask(0o077)
    assert os.umask(0o077) == 0o077
