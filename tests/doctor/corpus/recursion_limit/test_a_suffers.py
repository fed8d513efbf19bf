

def depth(number):
    return 0 if number == 0 else 1 + depth(number - 1)


def test_suffers():
    assert depth(900) == 900
