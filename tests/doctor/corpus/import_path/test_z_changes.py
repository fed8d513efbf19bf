import sys


def test_changes():
    sys.path.insert(0, "/nowhere")
    assert sys.path[0] == "/nowhere"
