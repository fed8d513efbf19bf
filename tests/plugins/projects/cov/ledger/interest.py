import threading


def rate_for(balance, kind="plain"):
    if kind == "plain":
        return 0.01 if balance < 1000 else 0.02
    elif kind == "bonus":
        return 0.05
    else:
        raise KeyError(kind)


def monthly(balance, months):
    for _ in range(months):
        balance += balance * rate_for(balance) / 12
    return balance


def in_background(balance, results):
    def work():
        results.append(monthly(balance, 3))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
