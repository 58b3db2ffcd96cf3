"""What both services say of one problem code."""

from api.problem_codes import CATALOGUE
from readmodel.problem_codes import PROBLEM_CODES


def test_a_problem_code_has_one_title_on_both_services() -> None:
    # Of an import that is over, one tells of the request and the other of a row.
    both = (CATALOGUE.keys() & PROBLEM_CODES.keys()) - {"import-over"}
    assert {each: CATALOGUE[each].title for each in both} == {
        each: PROBLEM_CODES[each].title for each in both
    }
