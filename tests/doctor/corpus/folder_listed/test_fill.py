import pathlib
import tempfile
import time

INBOX = pathlib.Path(tempfile.gettempdir()) / "inbox"


def test_fill():
    INBOX.mkdir(exist_ok=True)
    time.sleep(0.02)
    letter = INBOX / "letter"
    letter.write_text("hello")
    time.sleep(0.2)
    letter.unlink()
