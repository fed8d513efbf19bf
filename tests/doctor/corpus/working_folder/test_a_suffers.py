import os


def test_suffers():
    assert os.path.isfile("pytest.ini")
