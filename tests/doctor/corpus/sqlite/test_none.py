import os
import sqlite3
import tempfile
import time


def test_none():
    db = sqlite3.connect(os.path.join(tempfile.gettempdir(), "shop.db"))
    with db:
        db.execute("CREATE TABLE IF NOT EXISTS orders (id)")
        db.execute("DELETE FROM orders")
    for number in range(0):
        with db:
            db.execute("INSERT INTO orders VALUES (?)", (number,))
    time.sleep(0.2)
    assert db.execute("SELECT count(*) FROM orders").fetchone() == (0,)
    db.close()
