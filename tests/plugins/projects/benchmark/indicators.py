def moving_average(prices, width):
    total = sum(prices[:width])
    found = [total / width]
    for new, old in zip(prices[width:], prices):
        total += new - old
        found.append(total / width)
    return found


def highest(prices):
    best = prices[0]
    for price in prices:
        if price > best:
            best = price
    return best
