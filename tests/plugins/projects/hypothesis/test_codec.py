import codec
import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hypothesis import assume, event, example, given, note, settings
from hypothesis import strategies as st


@given(st.text())
def test_round_trip(text):
    event("empty" if not text else "some")
    assert codec.decode(codec.encode(text)) == text


@given(st.text(alphabet="ab"))
@example("aab")
def test_runs_alternate(text):
    pairs = codec.encode(text)
    assert all(one[0] != two[0] for one, two in zip(pairs, pairs[1:]))


@given(st.lists(st.integers()))
def test_average_fails_on_nothing(numbers):
    note(f"{len(numbers)} numbers")
    codec.average(numbers)


@given(st.lists(st.integers(0, 100), min_size=1))
def test_average_is_below_50(numbers):
    assert codec.average(numbers) < 50


@given(st.lists(st.integers(), min_size=1))
def test_average_between(numbers):
    assume(max(numbers) < 10**6)
    assert min(numbers) <= codec.average(numbers) <= max(numbers) + 1


@pytest.mark.parametrize("letter", "abc")
@given(count=st.integers(0, 20))
def test_with_parameters(letter, count):
    assert codec.decode([(letter, count)]) == letter * count


@settings(max_examples=5, derandomize=True)
@given(st.data())
def test_data(data):
    number = data.draw(st.integers(0, 9), label="number")
    assert number < 0


@given(st.integers())
def test_async_like_health(number):
    assume(False)


class TestMethods:
    @given(st.binary())
    def test_method(self, value):
        assert bytes(bytearray(value)) == value


class Counter(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.value = 0

    @rule(step=st.integers(1, 3))
    def add(self, step):
        self.value += step

    @invariant()
    def never_negative(self):
        assert self.value >= 0


TestCounter = Counter.TestCase


@pytest.mark.skip(reason="later")
@given(st.none())
def test_skipped(value):
    raise AssertionError
