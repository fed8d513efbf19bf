prices = {"pear": 1}
