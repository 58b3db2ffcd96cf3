from runtime.row_ids import row_id, whole_of


def test_the_name_of_a_row_tells_what_it_is_a_row_of_and_sorts_as_rows_do() -> None:
    names = [row_id("an-import", n) for n in (1, 9, 10, 100, 999_999_999)]

    assert names == sorted(names)
    assert {whole_of(each) for each in names} == {"an-import"}
    assert whole_of("no-row") is None
