import state


def test_order():
    assert state.known['user'] + state.known['shop'] == 2
