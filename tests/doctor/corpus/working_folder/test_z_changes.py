import os


def test_changes():
    os.chdir("/")
    assert os.getcwd() == "/"
