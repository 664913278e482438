"""Items that take each step together, and lose nothing by one another."""

from earsight.common.errors import EarsightError
from earsight.common.steps import SMALL, Rest, finished, in_one, in_step, is_small


def test_all_take_a_step_before_any_takes_the_next():
    taken = []

    def count_to(last):
        for step in range(last):
            taken.append((step, last))
            yield Rest.STEP
        return str(last)

    assert in_step(count_to, [2, 0, 3]) == ["2", "0", "3"]
    assert taken == [(0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert in_step(count_to, []) == [] and finished(count_to(4)) == "4"


def test_an_error_is_that_items_alone():
    def steps(item):
        yield Rest.STEP
        if item == "bad":
            raise EarsightError("bad: broken")
        if item == "long":
            raise MemoryError
        yield Rest.STEP
        return None if item == "none" else item

    found = in_step(steps, ["bad", "good", "long", "none"])
    assert [str(one) for one in found] == ["bad: broken", "good", "long: too long for this machine's memory; split it",
                                           "None"]
    assert found[3] is None


def test_long_steps_come_when_the_others_are_done():
    taken = []

    def steps(item):
        yield Rest.LONG if item.isupper() else Rest.STEP
        taken.append(item)
        yield Rest.STEP
        taken.append(item)
        return item

    assert in_step(steps, "aBcD") == [*"aBcD"]
    assert taken == [*"acacBBDD"]
    assert in_step(in_one(str.upper), "ab") == ["A", "B"]


def test_what_is_no_small_file_is_none(tmp_path):
    (small := tmp_path / "small").write_bytes(b"x" * SMALL)
    (large := tmp_path / "large").write_bytes(b"x" * (SMALL + 1))
    assert is_small(small) and not any(map(is_small, (large, tmp_path / "missing", "a\0b")))
