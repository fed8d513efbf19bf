import signal


def test_suffers():
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
