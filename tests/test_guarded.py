"""The whole service with tokens, as its own processes: let in, kept out, taken back, not told."""

import subprocess
from pathlib import Path

import httpx
import pytest
from redis import Redis

from eventlog import keys
from runtime.settings import Settings
from tests.journey import ITEMLEDGER, Deployment
from tests.tokens import SECRET
from tests.waiting import until

# Two whole services, one after the other.
pytestmark = pytest.mark.timeout(300)

LAMP = {"name": "Lamp", "price": 100}


@pytest.fixture
def deployment(tmp_path: Path, sqlite_url: str) -> Deployment:
    made = Deployment(tmp_path, sqlite_url)
    made.env |= {
        "ITEMLEDGER_TOKEN_SECRET": SECRET,
        "ITEMLEDGER_HOST": "0.0.0.0",
        "ITEMLEDGER_LOG_LEVEL": "debug",
        # Nobody is there, and what is said of that must not hold the password.
        "ITEMLEDGER_JWKS_URL": "http://127.0.0.1:1/keys?key=hush-of-keys",
        "ITEMLEDGER_JWKS_ISSUER": "https://id.example",
        "ITEMLEDGER_CURSOR_SECRET": "hush-of-cursors",
    }
    return made


def console(deployment: Deployment, *words: str) -> str:
    done = subprocess.run(
        [*ITEMLEDGER, *words],
        cwd=deployment.folder,
        env=deployment.env | deployment._only_up,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_from_the_first_token_to_its_end(deployment: Deployment) -> None:
    with deployment.up(), httpx.Client(trust_env=False, timeout=30) as client:
        write, read = f"{deployment.command_url}/items/lamp", f"{deployment.query_url}/items/lamp"
        token = console(
            deployment,
            *("token", "create", "--subject", "rosa"),
            *("--scope", "items:read", "--scope", "items:write"),
        )
        bearer = {"Authorization": f"Bearer {token}"}
        foreign = {"Authorization": "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.e30.c2lnbmF0dXJl"}
        for headers, status in (({}, 401), ({"Authorization": f"Bearer {token}x"}, 401)):
            assert client.put(write, json=LAMP, headers=headers).status_code == status
            assert client.get(read, headers=headers).status_code == status
        # Whose key nobody can say, as the provider is away.
        assert client.get(read, headers=foreign).status_code == 503
        assert client.put(write, json=LAMP, headers=foreign).status_code == 503
        assert client.put(write, json=LAMP, headers={**bearer, "Prefer": "wait=20"}).is_success
        (event,) = client.get(f"{read}/history", headers=bearer).json()["events"]
        assert event["actor"] == "rosa"
        rows = deployment.folder / "rows.ndjson"
        rows.write_text('{"id": "chair", "name": "Chair", "price": 1}\n')
        deployment.env["ITEMLEDGER_TOKEN"] = token
        assert "1" in console(deployment, "import", str(rows))
        assert "partitions" in console(deployment, "status")

        def is_refused() -> bool:
            answers = (client.get(read, headers=bearer), client.put(write, headers=bearer))
            return all(answer.status_code == 401 for answer in answers)

        assert not is_refused()
        console(deployment, "token", "revoke", token)
        until(is_refused, 30, "the token is refused by both")
        with Redis.from_url(Settings(data=deployment.folder / "data").log_url) as redis:
            redis.delete(keys.REVOKED)
            assert is_refused()
            until(lambda: redis.exists(keys.REVOKED), 30, "a worker has mirrored it again")
        assert is_refused()
    told = deployment.log.read_text()
    assert '"process": "api"' in told
    for secret in (SECRET, token, token.split(".")[2], "hush-of", foreign["Authorization"][7:]):
        assert secret not in told


def test_a_revocation_outlives_a_redis_that_has_lost_everything(deployment: Deployment) -> None:
    with deployment.up():
        token = console(deployment, "token", "create", "--subject", "rosa", "--scope", "items:read")
        console(deployment, "token", "revoke", token)
    for file in (deployment.folder / "data" / "valkey").rglob("*"):
        if file.is_file():
            file.unlink()
    with deployment.up(), httpx.Client(trust_env=False, timeout=30) as client:
        # From the first request on.
        bearer = {"Authorization": f"Bearer {token}"}
        for url in (deployment.query_url, deployment.command_url):
            answer = client.request(
                "POST" if url == deployment.command_url else "GET", f"{url}/items", headers=bearer
            )
            assert answer.status_code == 401
