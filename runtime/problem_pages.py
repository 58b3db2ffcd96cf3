"""The pages behind a problem's `type`: what the code means and how to mend it, and all codes."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from runtime.problems import STATUS_OF_KIND

_CODE = re.compile("`([^`]+)`")

# A page without scripts, styles or pictures needs nothing from anywhere.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "public, max-age=3600",
    "Vary": "Accept",
}


@dataclass(frozen=True, slots=True)
class ProblemCode:
    """One code: its usual status, its title, what it means and how to mend it."""

    code: str
    status: int
    title: str
    meaning: str
    mend: str


# What both services answer, or tell of a command.
MALFORMED_HEADER = ProblemCode(
    "malformed-header",
    400,
    "A header can not be read",
    "A header that this request depends on is not of the form it must have.",
    "`errors` names the header and its form. To leave it out is always allowed.",
)
NOT_DEAD = ProblemCode(
    "not-dead",
    404,
    "The command is not dead",
    "An operator's order was about a command that is not among the dead ones.",
    "See itemledger dead list. A parked command goes on by itself after the dead one before it.",
)
DISCARDED = ProblemCode(
    "discarded",
    500,
    "The command was given up",
    "The command met a defect of the service, and an operator gave it up. It changed nothing.",
    "Read the detail. Send it again, as a new command, where the defect is mended.",
)


EXPIRED = ProblemCode(
    "expired",
    409,
    "The command came too late",
    "The moment of its Command-Deadline had passed when its turn came. Nothing changed.",
    "Send it again with a later deadline, if it is still wanted.",
)
BATCH_REJECTED = ProblemCode(
    "batch-rejected",
    409,
    "Another row of the batch was refused",
    "The batch is atomic and one of its rows was refused, so none of them was applied.",
    "`detail` says which row and why. Mend that one and send the whole batch again.",
)
ITEM_BLOCKED = ProblemCode(
    "item-blocked",
    409,
    "The item waits behind a dead command",
    "An earlier command of this item met a defect of the service; until an operator has decided "
    "about it, an atomic batch can not touch the item.",
    "Wait for the operator, or leave the item out of the batch.",
)
IMPORT_OVER = ProblemCode(
    "import-over",
    409,
    "The import was over before this row",
    "The import was cancelled, or one of its rows was rejected and it stops then.",
    "Mend the rejected row and import the file again.",
)
KEY_REUSED = ProblemCode(
    "idempotency-key-reused",
    422,
    "The Idempotency-Key was used for another payload",
    "The same caller sent this key with another payload to the same method and path.",
    "Use a new key for a new command, and the same key only to repeat the very same one.",
)
# What a command may come to beside the refusals of the domain.
OF_OUTCOMES = (DISCARDED, EXPIRED, BATCH_REJECTED, ITEM_BLOCKED, IMPORT_OVER, KEY_REUSED)


def of_refusal(code: str, kind: str, title: str, doc: str | None, mend: str) -> ProblemCode:
    """Describe a class of refusals; the first line of its docstring says what it means."""
    return ProblemCode(code, STATUS_OF_KIND[kind], title, (doc or title).partition("\n")[0], mend)


def wants_json(accept: str) -> bool:
    """Tell by `Accept` whether a program asks; whoever says nothing of it is shown the page."""
    asked = [each.partition(";")[0].strip().lower() for each in accept.split(",")]
    return "application/json" in asked and "text/html" not in asked


def told(problem: ProblemCode, service_url: str) -> dict[str, Any]:
    """Write what the page says for programs."""
    return {**asdict(problem), "type": f"{service_url}/problems/{problem.code}"}


def page(problem: ProblemCode) -> str:
    """Write the page of one code as HTML."""
    title, code = escape(problem.title), escape(problem.code)
    return _page(
        title,
        f"<p><code>{code}</code> · status {problem.status}</p>"
        f"<h2>What it means</h2><p>{_prose(problem.meaning)}</p>"
        f"<h2>How to mend it</h2><p>{_prose(problem.mend)}</p>",
    )


def catalogue(problems: Iterable[ProblemCode], service_url: str) -> str:
    """Write the page that leads to all others."""
    rows = "".join(
        f"<tr><td>{each.status}</td>"
        f'<td><a href="{escape(service_url)}/problems/{escape(each.code)}">'
        f"<code>{escape(each.code)}</code></a></td>"
        f"<td>{escape(each.title)}</td></tr>"
        for each in sorted_codes(problems)
    )
    return _page(
        "Problems",
        "<p>What the errors of this service mean (RFC 9457).</p>"
        "<table><thead><tr><th>status</th><th>code</th><th>title</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>",
    )


def sorted_codes(problems: Iterable[ProblemCode]) -> list[ProblemCode]:
    return sorted(problems, key=lambda each: (each.status, each.code))


def _prose(text: str) -> str:
    """Write a sentence as HTML; what stands between backticks is code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _page(title: str, content: str) -> str:
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{title} · itemledger</title>'
        '<meta name="viewport" content="width=device-width"></head><body>'
        f"<h1>{title}</h1>{content}</body></html>\n"
    )
