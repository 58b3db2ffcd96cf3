"""What pydantic finds wrong with a value, in words for people."""

from collections.abc import Mapping

from pydantic_core import ErrorDetails

_LONGEST_VALUE = 60
# What pydantic says in words of its own, by its kinds of error.
_PLAINLY: Mapping[str, str] = {
    "bool_parsing": "is no yes or no: write true or false",
    "float_parsing": "must be a number",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "int_from_float": "must be a whole number",
    "literal_error": "must be {expected}",
    "value_error": "{error}",
}


def plainly(problem: ErrorDetails) -> str:
    """Say in words for people what pydantic finds wrong with a value, and which one it is."""
    value = str(problem["input"])
    says = told(problem)
    return says if len(value) > _LONGEST_VALUE or repr(value) in says else f"{says}, not {value!r}"


def told(problem: ErrorDetails) -> str:
    """Say it without the value."""
    words = _PLAINLY.get(problem["type"])
    return words.format_map(problem.get("ctx", {})) if words else problem["msg"]
