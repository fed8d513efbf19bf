import os
import time


class Broker:
    def __init__(self, url="https://broker.invalid"):
        self.url = url

    def send(self, order):
        raise ConnectionError(self.url)


def place(broker, symbol, quantity):
    for attempt in range(3):
        try:
            return broker.send({"symbol": symbol, "quantity": quantity})
        except ConnectionError:
            time.sleep(2**attempt)
    raise RuntimeError("broker unreachable")


def account_name():
    return os.environ.get("ACCOUNT", "nobody")


def remove_file(path):
    os.remove(path)
