import os
import time


def test_changes():
    os.environ["TZ"] = "JST-9"
    time.tzset()
    assert time.localtime(0).tm_hour == 9
    del os.environ["TZ"]
