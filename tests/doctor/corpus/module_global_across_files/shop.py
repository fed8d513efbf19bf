stock = {}
