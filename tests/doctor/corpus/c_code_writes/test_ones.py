import ctypes
import os
import tempfile
import time

libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p


def put(path, text):
    file = ctypes.c_void_p(libc.fopen(path.encode(), b"w"))
    libc.fwrite(text, 1, len(text), file)
    libc.fclose(file)


def get(path):
    file, room = ctypes.c_void_p(libc.fopen(path.encode(), b"r")), ctypes.create_string_buffer(10)
    libc.fread(room, 1, 9, file)
    libc.fclose(file)
    return room.value


def test_ones():
    path = os.path.join(tempfile.gettempdir(), "matrix.bin")
    put(path, b"ones")
    time.sleep(0.2)
    assert get(path) == b"ones"
