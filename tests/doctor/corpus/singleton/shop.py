class Shop:
    def __init__(self):
        self.name = "default"


_shop = None


def get():
    global _shop
    if _shop is None:
        _shop = Shop()
    return _shop
