class Basket:
    limit = 10
