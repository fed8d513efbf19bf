def encode(text):
    found = []
    for character in text:
        if found and found[-1][0] == character:
            found[-1][1] += 1
        else:
            found.append([character, 1])
    return found


def decode(pairs):
    return "".join(character * count for character, count in pairs)


def average(numbers):
    return sum(numbers) / len(numbers)
