def test_suffers(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    assert path.stat().st_mode & 0o077 == 0o044
