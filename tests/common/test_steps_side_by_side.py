"""Items that take each step together, and lose nothing by one another."""

from earsight.common.errors import EarsightError
from earsight.common.steps import finished, in_step


def test_all_take_a_step_before_any_takes_the_next():
    taken = []

    def count_to(last):
        for step in range(last):
            taken.append((step, last))
            yield
        return str(last)

    assert in_step(count_to, [2, 0, 3]) == ["2", "0", "3"]
    assert taken == [(0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert in_step(count_to, []) == [] and finished(count_to(4)) == "4"


def test_an_error_is_that_items_alone():
    def steps(item):
        yield
        if item == "bad":
            raise EarsightError("bad: broken")
        if item == "long":
            raise MemoryError
        yield
        return None if item == "none" else item

    found = in_step(steps, ["bad", "good", "long", "none"])
    assert [str(one) for one in found] == ["bad: broken", "good", "long: too long for this machine's memory; split it",
                                           "None"]
    assert found[3] is None
