import locale


def test_suffers():
    assert locale.setlocale(locale.LC_NUMERIC) != "C.UTF-8"
