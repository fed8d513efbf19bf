import locale


def test_changes():
    locale.setlocale(locale.LC_NUMERIC, "C.UTF-8")
    assert locale.setlocale(locale.LC_NUMERIC) == "C.UTF-8"
