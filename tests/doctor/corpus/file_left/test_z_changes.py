import pathlib
import tempfile

DRAFT = pathlib.Path(tempfile.gettempdir()) / "draft.txt"


def test_changes():
    DRAFT.write_text("once")
    assert DRAFT.exists()
