def nobody_calls_this(value):
    if value:
        return 1
    return 2
