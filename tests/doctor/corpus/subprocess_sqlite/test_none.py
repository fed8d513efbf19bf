import os
import subprocess
import sys
import tempfile

CODE = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1])
with db:
    db.execute("CREATE TABLE IF NOT EXISTS orders (id)")
    db.execute("DELETE FROM orders")
for number in range(0):
    with db:
        db.execute("INSERT INTO orders VALUES (?)", (number,))
time.sleep(0.2)
print(db.execute("SELECT count(*) FROM orders").fetchone()[0])
"""


def test_none():
    path = os.path.join(tempfile.gettempdir(), "orders")
    command = [sys.executable, "-S", "-E", "-c", CODE, path]
    assert subprocess.check_output(command, text=True).strip() == "0"
