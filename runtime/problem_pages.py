"""The page behind a problem's `type`: what the code means and how to mend it."""

from dataclasses import dataclass
from html import escape

from runtime.problems import STATUS_OF_KIND

# A page without scripts, styles or pictures needs nothing from anywhere.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "public, max-age=3600",
}


@dataclass(frozen=True, slots=True)
class ProblemCode:
    """One code: its usual status, its title, what it means and how to mend it."""

    code: str
    status: int
    title: str
    meaning: str
    mend: str


def of_refusal(code: str, kind: str, title: str, doc: str | None, mend: str) -> ProblemCode:
    """Describe a class of refusals; the first line of its docstring says what it means."""
    return ProblemCode(code, STATUS_OF_KIND[kind], title, (doc or title).partition("\n")[0], mend)


def page(problem: ProblemCode) -> str:
    """Write the page of one code as HTML."""
    title, code = escape(problem.title), escape(problem.code)
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{title} · itemledger</title>'
        '<meta name="viewport" content="width=device-width"></head><body>'
        f"<h1>{title}</h1><p><code>{code}</code> · status {problem.status}</p>"
        f"<h2>What it means</h2><p>{escape(problem.meaning)}</p>"
        f"<h2>How to mend it</h2><p>{escape(problem.mend)}</p>"
        "</body></html>\n"
    )
