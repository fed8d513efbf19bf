import functools
import os


@functools.cache
def currency():
    return os.environ.get("SHOP_CURRENCY", "USD")
