"""What settings of secrets, keys and limits may be; a wrong secret is not told."""

from pathlib import Path

import pytest

from cli.read_settings import read_settings
from cli.refusals import Refusal
from runtime.settings import Settings

GOOD = "0123456789abcdef0123456789abcdef"


def refusal(**given: object) -> str:
    with pytest.raises(Refusal) as refused:
        read_settings(**given)
    return str(refused.value)


def test_a_secret_has_at_least_32_characters_and_is_not_shown(settings: Settings) -> None:
    assert read_settings(token_secret=GOOD).signing_secret == GOOD
    line = refusal(token_secret="hush-" * 6)
    assert "ITEMLEDGER_TOKEN_SECRET" in line
    assert "32" in line
    assert "hush" not in line
    told = repr(Settings(token_secret=GOOD, token="hush"))  # noqa: S106  of a test
    assert GOOD not in told
    assert "hush" not in told


def test_a_secret_may_be_in_a_file(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    assert "TOKEN_SECRET_FILE" in refusal(token_secret_file=file)
    file.write_text("hush")
    assert "hush" not in refusal(token_secret_file=file)
    file.write_bytes(b"\xff" * 40)
    assert "TOKEN_SECRET_FILE" in refusal(token_secret_file=file)
    file.write_text(f"{GOOD}\n")
    assert read_settings(token_secret_file=file).signing_secret == GOOD


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example/keys",
        "ftp://id.example/keys",
        "https://me:hush@id.example/keys",
        "http://127.0.0.1.example/keys",
        "https:///keys",
        "id.example",
    ],
)
def test_keys_come_over_https_or_from_this_machine(settings: Settings, url: str) -> None:
    line = refusal(jwks_url=url)
    assert "ITEMLEDGER_JWKS_URL" in line
    assert "hush" not in line
    for good in ("https://id.example/keys", "http://127.0.0.1:9/keys", "http://localhost/keys"):
        assert read_settings(jwks_url=good).has_keys


@pytest.mark.parametrize("names", ["none", "HS256", "RS256,HS256", "RS256;ES256", "rs256", ","])
def test_a_provider_signs_with_public_keys_alone(settings: Settings, names: str) -> None:
    assert "ITEMLEDGER_JWKS_ALGORITHMS" in refusal(jwks_algorithms=names)
    assert read_settings(jwks_algorithms="RS256, EdDSA").jwks_algorithms == "RS256,EdDSA"


@pytest.mark.parametrize("limit", ["100", "0/second", "-1/second", "1/week", "1//second", "x"])
def test_a_rate_is_a_number_per_time(settings: Settings, limit: str) -> None:
    assert "ITEMLEDGER_RATE_LIMIT" in refusal(rate_limit=limit)


@pytest.mark.parametrize("limit", ["100/second", "1000 per 5 minutes", "5/day", "7 per hour"])
def test_a_rate_that_is_taken_is_one_that_can_be_counted(settings: Settings, limit: str) -> None:
    from limits import parse  # noqa: PLC0415  as the services do

    assert parse(read_settings(rate_limit=limit).rate_limit or "").amount > 0
