import state


def test_user():
    state.known['user'] = 1
    assert state.known
