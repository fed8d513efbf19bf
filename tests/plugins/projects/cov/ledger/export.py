import sys


def as_csv(rows):
    return "\n".join(",".join(str(cell) for cell in row) for row in rows)


def main():
    for line in sys.stdin:
        name, amount = line.split()
        if int(amount) > 100:
            print(as_csv([(name, amount, "large")]))
        else:
            print(as_csv([(name, amount)]))


if __name__ == "__main__":
    main()
