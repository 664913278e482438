"""Tables of series in every form give the same series; what is odd in them is told."""

import numpy as np
import pytest

from earsight.common.errors import EarsightError
from earsight.common.series.reading import TableOptions, is_table, read_series
from earsight.common.series.reading.times import on_grid

LABELS = ["walk", "run", "walk"]


@pytest.fixture
def series():
    rng = np.random.default_rng(1)
    made = [rng.standard_normal((length, 2)).round(3).astype(np.float32) for length in (12, 9, 10)]
    made[1][4, 0] = np.nan
    return made


def text(value):
    return "" if np.isnan(value) else f"{value:.3f}"


def long_rows(series, step=0.1):
    yield "id,timestamp,activity,ax,ay"
    for number, (values, label) in enumerate(zip(series, LABELS), 1):
        for place, row in enumerate(values):
            yield ",".join([str(number), f"{place * step:.3f}", label, *map(text, row)])


def wide_rows(series):
    longest = max(map(len, series))
    yield ";".join(["label", *(f"{name}_{place}" for name in ("ax", "ay") for place in range(longest))])
    for values, label in zip(series, LABELS):
        full = np.full((longest, 2), np.nan)
        full[:len(values)] = values
        yield ";".join([label, *map(text, full.T.ravel())])


def ts_rows(series):
    yield from ("# about it", "@problemName Moves", "@timeStamps false", "@classLabel true walk run", "@data")
    for values, label in zip(series, LABELS):
        yield ":".join([*(",".join(text(value) or "?" for value in channel) for channel in values.T), label])


def arff_rows(series):
    longest = max(map(len, series))
    yield from ("% about it", "@relation Moves", "@attribute bag relational",
                *(f"@attribute a{place} numeric" for place in range(longest)), "@end bag",
                "@attribute activity {walk,run}", "@data")
    for values, label in zip(series, LABELS):
        channels = [[text(value) or "?" for value in channel] + ["?"] * (longest - len(channel))
                    for channel in values.T]
        yield "'" + "\\n".join(map(",".join, channels)) + f"',{label}"


def written(path, rows):
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def write(folder, form, series):
    rows = {"long.csv": long_rows, "wide.csv": wide_rows, "moves.ts": ts_rows, "moves.arff": arff_rows}
    path = folder / form
    if form in rows:
        return written(path, rows[form](series))
    longest = max(map(len, series))
    every = np.full((len(series), longest, 2), np.nan)
    for place, values in enumerate(series):
        every[place, :len(values)] = values
    if form == "moves.npz":
        np.savez(path, X=every, y=np.array(LABELS), channels=np.array(["ax", "ay"]))
        return path
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"id": [i for i, x in enumerate(series) for _ in x],
               "label": [label for label, x in zip(LABELS, series) for _ in x],
               "ax": [None if np.isnan(v) else v for x in series for v in x[:, 0]],
               "ay": [v for x in series for v in x[:, 1]],
               "time": [k / 10 for x in series for k in range(len(x))]}
    parquet.write_table(arrow.table(columns), path)
    return path


@pytest.mark.parametrize("form", ["long.csv", "wide.csv", "moves.ts", "moves.arff", "moves.npz", "moves.parquet"])
def test_every_form_gives_the_same_series(form, series, tmp_path):
    path = write(tmp_path, form, series)
    assert is_table(path)
    table = read_series(path)
    assert table.channels == (("1", "2") if form in ("moves.ts", "moves.arff") else ("ax", "ay"))
    assert table.named == (form not in ("moves.ts", "moves.arff"))
    assert [each.label for each in table.series] == LABELS
    for given, expected in zip(table.series, series, strict=True):
        np.testing.assert_array_equal(given.values, expected)
        if form in ("long.csv", "moves.parquet"):
            np.testing.assert_allclose(given.times, np.arange(len(expected)) / 10)
        else:
            assert given.times is None


def test_the_ucr_archives_rows_begin_with_the_label(tmp_path):
    values = np.random.default_rng(0).standard_normal((3, 20)).round(3)
    rows = ["\t".join([str(label), *map(str, row)]) for label, row in zip((1, -1, 1), values)]
    table = read_series(written(tmp_path / "Gun_TRAIN.tsv", rows))
    assert [each.label for each in table.series] == ["1", "-1", "1"] and table.channels == ("1",)
    np.testing.assert_allclose([each.values[:, 0] for each in table.series], values, rtol=1e-6)
    unlabelled = read_series(tmp_path / "Gun_TRAIN.tsv", TableOptions(labelled=False))
    np.testing.assert_array_equal(unlabelled.series[1].values, table.series[1].values)


def test_a_header_is_told_from_a_first_row(tmp_path):
    values = np.random.default_rng(0).standard_normal((2, 10)).round(3)
    rows = [",".join([label, *map(str, row)]) for label, row in zip(("up", "down"), values)]
    table = read_series(written(tmp_path / "A_TEST.csv", rows))
    assert [each.label for each in table.series] == ["up", "down"]
    headed = read_series(written(tmp_path / "pandas.csv", [",".join(["label", *map(str, range(10))]), *rows]))
    np.testing.assert_array_equal(headed.series[1].values, table.series[1].values)


def test_pairs_of_time_and_value(tmp_path):
    rows = ["@timeStamps true", "@classLabel true a b", "@data",
            "(2024-01-01 00:00:00,1.5),(2024-01-01 00:00:02,3):(2024-01-01 00:00:01,7):a", "(0,1),(1,?):(0,4),(1,5):b"]
    one, two = read_series(written(tmp_path / "pairs.ts", rows)).series
    np.testing.assert_array_equal(one.times - one.times[0], [0, 1, 2])
    np.testing.assert_array_equal(one.values, [[1.5, np.nan], [np.nan, 7], [3, np.nan]])
    np.testing.assert_array_equal(two.values, [[1, 4], [np.nan, 5]])


def test_a_series_is_parted_where_its_label_changes(tmp_path):
    rows = ["t_ms,label,x", *(f"{10 * k},{'rest' if k < 5 else 'work' if k < 9 else ''},{k}" for k in range(12))]
    table = read_series(written(tmp_path / "day.csv", rows), TableOptions(time="t_ms", unit="ms"))
    assert [(each.label, each.values[:, 0].tolist(), each.group) for each in table.series] == [
        ("rest", [0, 1, 2, 3, 4], "day"), ("work", [5, 6, 7, 8], "day")]
    assert any("3 rows without a label" in note for note in table.notes)
    assert any("1 series change their label" in note for note in table.notes)
    (whole,) = read_series(tmp_path / "day.csv", TableOptions(labelled=False)).series
    assert len(whole.values) == 12


def test_times_out_of_order_and_double_ones(tmp_path):
    first = [(0, 0), (2, 2), (1, 1), (3, 3), (3, 5)]
    rows = ["time,x", *(f"{t},{x}" for t, x in [*first, *((k, k) for k in range(4, 30))])]
    table = read_series(written(tmp_path / "mixed.csv", rows))
    (one,) = table.series
    assert one.times.tolist() == list(range(30)) and one.values[:, 0].tolist()[:5] == [0, 1, 2, 4, 4]
    assert any("out of order" in note for note in table.notes) and any("mean" in note for note in table.notes)
    rows = ["time,x", *(f"{k // 10},{k}" for k in range(100))]
    with pytest.raises(EarsightError, match="90 of 100 rows have the time of another.*time=none"):
        read_series(written(tmp_path / "coarse.csv", rows))
    assert len(read_series(tmp_path / "coarse.csv", TableOptions(time="none")).series[0].values) == 100


def test_dates_are_times(tmp_path):
    rows = ["date,x", "2024-05-31T23:59:59.5Z,1", "2024-06-01T00:00:00+00:00,2"]
    assert np.diff(read_series(written(tmp_path / "d.csv", rows)).series[0].times) == 0.5
    with pytest.raises(EarsightError, match=r"d.csv, column date: time '31/05/2024'.*ISO 8601"):
        read_series(written(tmp_path / "d.csv", ["date,x", "31/05/2024,1"]))


def test_labels_that_differ_by_blanks_or_case_are_told(tmp_path):
    rows = ["id,label,x", "1,Walk,0", "2,walk,0", '3,"Walk  ",0', "4,run,1"]
    table = read_series(written(tmp_path / "a.csv", rows))
    assert [each.label for each in table.series] == ["Walk", "walk", "Walk", "run"]
    assert any("'Walk' and 'Walk  ' differ by blanks, and are taken for one" in note for note in table.notes)
    assert any("'Walk' and 'walk' differ by case" in note for note in table.notes)


@pytest.mark.parametrize("name, content, complaint", [
    ("a.csv", "time,x,note\n0,1,fine\n", r"a.csv, line 2, column note: 'fine' is no number; name the columns"),
    ("a.csv", "time;x\n0;1,5\n", r"line 2, column x: '1,5' is no number; write 1.5"),
    ("a.csv", "time,x\n0,1,2\n", r"line 2: 3 values for 2 columns"),
    ("a.csv", "time,x,x\n0,1,2\n", r"column x is there twice"),
    ("a.csv", "", r"a.csv: the file is empty"),
    ("a.csv", "time,x\n", r"a header and no rows"),
    ("a.csv", "id,x\na,\na,nan\n", r"series a holds no number"),
    ("a.csv", "time,x\n0,1\n,2\n", r"1 of 2 times are missing"),
    ("a.ts", "1,2,3:a\n", r"a.ts, line 1: data before @data"),
    ("a.ts", "@data\n1,2:3,4\n1,2\n", r"a.ts, line 3: 1 channels, and the lines before have 2"),
    ("a.ts", "@data\n1,b\n", r"a.ts, line 2: 'b' is no number"),
    ("a.arff", "@relation a\nhello\n", r"a.arff, line 2: 'hello' is no"),
    ("a.npz", "hello", r"a.npz: not an array that can be read"),
])
def test_what_is_wrong_is_one_line_that_says_where(name, content, complaint, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(EarsightError, match=complaint):
        read_series(tmp_path / name)


def test_a_channel_without_numbers_is_told_and_others_are_kept(tmp_path):
    table = read_series(written(tmp_path / "a.csv", ["time,x,broken", "0,1,nan", "1,2,", "2,inf,NA"]))
    np.testing.assert_array_equal(table.series[0].values, [[1, np.nan], [2, np.nan], [np.nan, np.nan]])
    assert any("no number in channel broken" in note for note in table.notes)


def test_a_column_that_is_not_there(tmp_path):
    written(tmp_path / "a.csv", ["Subject,x", "1,2"])
    for option, complaint in ((TableOptions(series="subject"), "no column subject.*did you mean Subject"),
                              (TableOptions(channels=("speed",)), r"no column speed \(channels=speed\)")):
        with pytest.raises(EarsightError, match=complaint):
            read_series(tmp_path / "a.csv", option)
    for given, said in (({"layout": "tall"}, "layout is 'tall'"), ({"unit": ["s"]}, r"unit is \['s'\]"),
                        ({"layout": np.arange(2)}, r"layout is array\(\[0, 1\]\)")):
        with pytest.raises(EarsightError, match=f"option {said}; it is one of"):
            TableOptions(**given)


def test_clips_and_films_are_no_tables(tmp_path):
    assert not is_table(written(tmp_path / "clips.csv", ["path,label", "a.wav,one"]))
    (tmp_path / "film.ts").write_bytes((b"\x47" + bytes(187)) * 4)
    assert not is_table(tmp_path / "film.ts")


def test_a_grid_of_equal_steps():
    times = np.array([0, 0.1, 0.2, 0.3, 0.9, 1.0, 1.1])
    values = np.column_stack([times, 2 * times]).astype(np.float32)
    values[1, 1] = np.nan
    made = on_grid(times, values, 0.1)
    expected = np.round(np.arange(12) / 10, 1)
    expected[4:9] = np.nan  # nobody knows what was between
    np.testing.assert_allclose(made[:, 0], expected, atol=1e-6)
    np.testing.assert_allclose(made[1, 1], 0.2, atol=1e-6)  # a line between its neighbours
    assert on_grid(times[:4], values[:4], 0.1) is not None
    np.testing.assert_array_equal(on_grid(times[:4], values[:4], 0.1), values[:4])


def test_one_wrong_time_makes_no_endless_grid():
    times = np.append(np.arange(100) / 100, 1.7e9)
    with pytest.raises(EarsightError, match="at steps of 0.01 s, would be 170000000000 of which 101 were measured"):
        on_grid(times, np.zeros((101, 1), np.float32), 0.01)


def test_a_coarser_grid_has_means():
    times, values = np.arange(100) / 100, np.tile([0.0, 2.0], 50).astype(np.float32)[:, None]
    made = on_grid(times, values, 0.1)
    assert len(made) == 11 and np.abs(made[1:10] - 1).max() < 1e-6  # a faster wave is not let pass for a slower one
