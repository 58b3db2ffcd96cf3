from pathlib import Path

import pytest

from cli.exposure import require_guard
from cli.refusals import WRONG_USAGE, Refusal
from runtime.settings import Settings

SECRET = "0123456789abcdef0123456789abcdef"  # noqa: S105  of tests


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "a.localhost"])
def test_on_this_machine_alone_nobody_has_to_say_who_they_are(host: str) -> None:
    require_guard(Settings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", "10.0.0.1", ""])
def test_beyond_this_machine_nothing_is_served_without_keys(host: str) -> None:
    with pytest.raises(Refusal) as refused:
        require_guard(Settings(host=host))
    assert refused.value.code == WRONG_USAGE
    for part in (host, "ITEMLEDGER_TOKEN_SECRET", "ITEMLEDGER_JWKS_URL", "ITEMLEDGER_HOST"):
        assert part in str(refused.value)
    assert "\n" not in str(refused.value)


def test_with_keys_it_may_listen_anywhere(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    require_guard(Settings(host="0.0.0.0", token_secret=SECRET))
    require_guard(Settings(host="0.0.0.0", token_secret_file=tmp_path / "secret"))
    require_guard(Settings(host="::", jwks_url="https://id.example/keys", jwks_issuer="https://id"))


def test_a_provider_without_a_name_is_refused() -> None:
    with pytest.raises(Refusal, match="ITEMLEDGER_JWKS_ISSUER"):
        require_guard(Settings(jwks_url="https://id.example/keys"))
