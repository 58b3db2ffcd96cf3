from runtime.problem_pages import ProblemCode, page


def test_what_stands_between_backticks_is_code_and_everything_else_is_text() -> None:
    shown = page(
        ProblemCode("a-code", 422, "A <title>", "`errors` & `<b>` say it.", "One ` alone is none.")
    )
    assert "<p><code>errors</code> &amp; <code>&lt;b&gt;</code> say it.</p>" in shown
    assert "<p>One ` alone is none.</p>" in shown
    assert "<h1>A &lt;title&gt;</h1>" in shown
