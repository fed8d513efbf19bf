import pathlib
import tempfile
import time

INBOX = pathlib.Path(tempfile.gettempdir()) / "inbox"


def test_count():
    INBOX.mkdir(exist_ok=True)
    before = len(list(INBOX.iterdir()))
    time.sleep(0.2)
    assert len(list(INBOX.iterdir())) == before
