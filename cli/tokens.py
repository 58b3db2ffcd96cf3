"""`itemledger token`: make a token, and take it back."""

import re
from collections.abc import Sequence
from typing import Any

import orjson
import typer
from joserfc import jws
from joserfc.errors import JoseError
from redis.exceptions import RedisError
from rich.console import Console

from cli.database_refusals import reading_refusal
from cli.lines import tell
from cli.refusals import WRONG_USAGE, Refusal, reason, warn, without_password
from cli.tables import Field, show_rows
from cli.whoami import operator
from eventlog.clients import working_client
from eventlog.revocations import Mirror
from ledger.register import opened_register
from ledger.revocations import Revocation
from ledger.schema import DatabaseUnusable, SchemaOutOfDate
from runtime.auth.caller import SUBJECT_LIMIT, Scope, is_subject
from runtime.auth.issue import LONGEST_LIFE, is_own_id, issue
from runtime.auth.revoked import Source
from runtime.auth.tokens import TOKEN_ID_LIMIT, OwnKey
from runtime.settings import PREFIX, Settings
from runtime.times import rfc3339

_SECONDS = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}


def create_token(
    settings: Settings, subject: str, scopes: Sequence[Scope], ttl: str, now: int
) -> None:
    """Print a new token on standard output, and its id and end on standard error."""
    secret = settings.signing_secret
    if secret is None:
        raise Refusal(
            f"there is no secret to sign a token with: set {PREFIX}TOKEN_SECRET to the one of the "
            "services (at least 32 characters, such as `openssl rand -base64 32` makes)",
            WRONG_USAGE,
        )
    if not is_subject(subject):
        raise Refusal(
            f"a subject is one line of 1 to {SUBJECT_LIMIT} characters: mend --subject", WRONG_USAGE
        )
    own = OwnKey(secret, settings.token_issuer)
    made = issue(own, settings.token_audience, subject, dict.fromkeys(scopes), now, _life(ttl))
    typer.echo(made.token)
    tell(f"Its id is {made.id}; it expires at {rfc3339(made.expires * 1000)}.", err=True)


def revoke_token(settings: Settings, token: str, now: int) -> None:
    """Write into SQL that a token is revoked, and bring it to the services."""
    # Who names an id alone does not say when its token expires.
    read = _read(token)
    token_id, expires = read or (token, now + LONGEST_LIFE)
    if not 0 < len(token_id) <= TOKEN_ID_LIMIT or not token_id.isprintable():
        raise Refusal(f"an id has 1 to {TOKEN_ID_LIMIT} characters, and no others", WRONG_USAGE)
    revocation = Revocation(token_id, expires * 1000, now * 1000, operator())
    try:
        with opened_register(settings.sql_url) as register:
            register.revoke(revocation)
            unheard = _tell(settings, register.news)
    except SchemaOutOfDate as error:
        raise Refusal(str(error)) from None
    except (DatabaseUnusable, ModuleNotFoundError) as error:
        raise reading_refusal(settings.sql_url, error, "written") from None
    tell(f"{token_id} is revoked.")
    if read is None and not is_own_id(token_id):
        warn(
            f"{token_id} is no id that `itemledger token create` gives: see that it is the jti of "
            "an identity provider's token"
        )
    if unheard is not None:
        warn(unheard)


def mirror_revocations(settings: Settings) -> None:
    """Have the command API know from its first request on what is revoked."""
    with opened_register(settings.sql_url) as register:
        # What stands in the way is told by the services, and a worker brings it later.
        _tell(settings, register.news)


def list_revoked(settings: Settings, *, as_json: bool) -> None:
    """Print what is revoked."""
    try:
        with opened_register(settings.sql_url) as register:
            found = register.listed()
    except SchemaOutOfDate as error:
        raise Refusal(str(error)) from None
    except (DatabaseUnusable, ModuleNotFoundError) as error:
        raise reading_refusal(settings.sql_url, error) from None
    if as_json:
        documents = [
            {
                "id": each.token_id,
                "revoked_at": rfc3339(each.revoked_at),
                "revoked_by": each.revoked_by,
                "expires_at": rfc3339(each.expires_at),
            }
            for each in found
        ]
        typer.echo(orjson.dumps(documents, option=orjson.OPT_INDENT_2))
        return
    if not found:
        typer.echo("No token is revoked.")
        return
    fields = (Field("id"), Field("revoked"), Field("by"), Field("expires by"))
    rows = [
        (each.token_id, rfc3339(each.revoked_at), each.revoked_by, rfc3339(each.expires_at))
        for each in found
    ]
    show_rows(Console(highlight=False, markup=False), fields, rows)


def _life(ttl: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", ttl)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 0 < seconds <= LONGEST_LIFE:
        raise Refusal(
            "--ttl is a number and s, m, h or d, such as 12h, and at most 366d", WRONG_USAGE
        )
    return seconds


def _read(token: str) -> tuple[str, int] | None:
    """Find the id and the end that a token names; whoever may revoke may revoke any."""
    if token.count(".") != 2:  # noqa: PLR2004  the parts of a JWS
        return None
    try:
        claims: Any = orjson.loads(jws.extract_compact(token.encode()).payload)
        return str(claims["jti"]), int(claims["exp"])
    except (JoseError, ValueError, KeyError, TypeError):
        raise Refusal(
            "this is no token that can be read: name its id instead", WRONG_USAGE
        ) from None


def _tell(settings: Settings, truth: Source) -> str | None:
    """Bring the revocation to the command API at once; say what stands in the way."""
    try:
        with working_client(settings.log_url) as redis:
            Mirror(redis).publish(truth)
    except (RedisError, OSError) as error:
        return (
            f"the log {without_password(settings.log_url)} can not be told "
            f"({reason(settings.log_url, error)}): the command API hears of it from a worker, as "
            "soon as one reaches the log"
        )
    return None
