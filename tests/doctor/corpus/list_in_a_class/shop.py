class Basket:
    items = []
