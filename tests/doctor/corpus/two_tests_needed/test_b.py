import state


def test_shop():
    state.known['shop'] = 1
    assert state.known
