"""What a file is called, as a request says that brings it."""

import re
from urllib.parse import quote

import pytest

from api.imports.file_names import FORM, file_name
from api.problems import ProblemRaised
from itemledger_client.file_names import disposition

LONGEST = "x" * 251 + ".csv"


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("attachment; filename*=UTF-8''prices.csv", "prices.csv"),
        ("attachment; filename*=utf-8'de'preise%20%C3%A4%e2%82%ac.csv", "preise ä€.csv"),
        ("attachment; filename=\"a.csv\"; filename*=UTF-8''%C3%A4.csv", "ä.csv"),
        ("attachment; FileName*=UTF-8''%C3%A4.csv; filename=a.csv", "ä.csv"),
        ("attachment;filename=prices.csv", "prices.csv"),
        ('inline ; filename = "two words; and \\"more\\".csv" ', 'two words; and "more".csv'),
        ("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fprices.csv", "prices.csv"),
        ('attachment; filename="C:\\\\Users\\\\rosa\\\\prices.csv"', "prices.csv"),
        ('attachment; filename="äöü.csv"'.encode().decode("latin-1"), "äöü.csv"),
        ('attachment; filename="ä.csv"', "ä.csv"),
        (f"attachment; filename={LONGEST}", LONGEST),
        (f"attachment; filename={'y' * 300}/{LONGEST}".replace("=", '="') + '"', LONGEST),
        ("attachment; filename*=ISO-8859-1'en'%E4%20%A3.csv", "ä £.csv"),
        ("attachment; filename*=UTF-8''a%E2%80%AEvsc.csv", "avsc.csv"),
        ("attachment; filename*=UTF-8''%E2%81%A7%D7%A9%E2%80%8F.csv%E2%81%A9", "ש.csv"),
        # Joiners are of the name: without them it is another word, or two pictures.
        ("attachment; filename*=UTF-8''%E0%A4%95%E0%A5%8D%E2%80%8D.csv", "क्\u200d.csv"),
        ("attachment; size=7", None),
        ("attachment", None),
        ("attachment;", None),
        ("attachment ; ; ", None),
        ("attachment;; filename=a.csv;", "a.csv"),
        (" ", None),
        ("", None),
    ],
)
def test_a_name_is_read_as_the_standards_write_it(sent: str, name: str | None) -> None:
    assert file_name([sent]) == name


def test_a_file_that_is_called_nothing_has_no_name() -> None:
    assert file_name([]) is None


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (";", "malformed"),
        ("attachment; filename", "malformed"),
        ("attachment" + ";  " * 60 + "!", "malformed"),
        ("attachment; filename=two words.csv", "malformed"),
        ('attachment; filename="a.csv', "malformed"),
        ("attachment filename=a.csv", "malformed"),
        ("filename*=UTF-8''a.csv", "malformed"),
        ('attachment; filename="a\x7fb.csv"', "malformed"),
        ("attachment; filename=a.csv; filename=a.csv", "invalid-file-name"),
        ("attachment; filename*=a.csv", "invalid-file-name"),
        ("attachment; filename*=windows-1252''%E4.csv", "invalid-file-name"),
        ("attachment; filename*=iso-8859-1''a%9F.csv", "invalid-file-name"),
        ("attachment; filename*=UTF-8''%E4.csv", "invalid-file-name"),
        ("attachment; filename*=UTF-8''%ED%A0%80.csv", "invalid-file-name"),
        ("attachment; filename*=UTF-8''%2.csv", "invalid-file-name"),
        ("attachment; filename*=UTF-8''", "invalid-file-name"),
        ("attachment; filename*=UTF-8''a%2F", "invalid-file-name"),
        ("attachment; filename=..", "invalid-file-name"),
        ("attachment; filename*=UTF-8''a%00.csv", "invalid-file-name"),
        ("attachment; filename*=UTF-8''a%0Ab.csv", "invalid-file-name"),
        ("attachment; filename*=UTF-8''a%C2%85b.csv", "invalid-file-name"),
        ("attachment; filename*=UTF-8''a%E2%80%A8b.csv", "invalid-file-name"),
        (f"attachment; filename=x{LONGEST}", "invalid-file-name"),
    ],
)
def test_what_is_no_name_is_refused_and_the_header_named(sent: str, code: str) -> None:
    with pytest.raises(ProblemRaised) as raised:
        file_name([sent])
    problem = raised.value.problem
    assert (problem.status, problem.code) == (400, "malformed-header")
    (error,) = problem.errors
    assert (error["header"], error["code"]) == ("Content-Disposition", code)
    # As it is described to programs.
    assert (re.fullmatch(FORM, sent) is None) == (code == "malformed")


def test_it_is_said_once() -> None:
    with pytest.raises(ProblemRaised):
        file_name(["attachment; filename=a", "attachment; filename=a"])


# What people see nothing of.
NO_NAMES = [
    *("", ".", "..", "/", " ", ". ", " .. ", "\xa0", "\u3000", "\u200b", "\ufeff\u2060", "\xad"),
    *("\u202e", "\u2066\u2069", "\u200b.\u200b", "\u3164", "\u2800", "\u0301", "a/\u200b"),
]


@pytest.mark.parametrize("name", NO_NAMES, ids=ascii)
def test_a_name_of_which_nothing_is_to_be_seen_is_refused_and_never_sent(name: str) -> None:
    with pytest.raises(ProblemRaised) as raised:
        file_name([f"attachment; filename*=UTF-8''{quote(name, '')}"])
    (error,) = raised.value.problem.errors
    assert (error["header"], error["code"]) == ("Content-Disposition", "invalid-file-name")
    assert disposition(name) is None


# What senders make of names.
NAMES = [
    ("prices.csv", "prices.csv"),
    ("Prei'se (1) 100%*;\"\\ä€😀.csv", "ä€😀.csv"),
    ("Prei'se (1) 100%*;\"$&+#^`|~!.csv", "Prei'se (1) 100%*;\"$&+#^`|~!.csv"),
    ("line\nbreak\x85\u2028.csv", "line_break__.csv"),
    ("half \ud83d.csv", "half _.csv"),
    ("x" * 300 + ".csv", LONGEST),
    ("😀" * 300 + ".csv", "😀" * 251 + ".csv"),
    ("prices.csv" + "\u202e" * 300, "prices.csv"),
    ("/srv/feeds/prices.csv", "prices.csv"),
    ("prices\u202evsc.exe\u2069", "pricesvsc.exe"),
    ("\u200fמחר\u200f.csv", "מחר.csv"),
    ("👩\u200d🚀 \u200b.csv\xa0", "👩\u200d🚀 \u200b.csv"),
    ("...", "..."),
]


@pytest.mark.parametrize(("name", "kept"), NAMES, ids=ascii)
def test_what_the_client_calls_a_file_is_taken(name: str, kept: str) -> None:
    sent = disposition(name)
    assert sent is not None
    assert sent.isascii()
    assert file_name([sent]) == kept
