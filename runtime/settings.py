"""The settings of every process: from the environment (`ITEMLEDGER_…`) and from `.env`."""

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from runtime.values import (
    Algorithms,
    CommandUrl,
    Currency,
    DatabaseUrl,
    Domain,
    JwksUrl,
    Port,
    QueryUrl,
    Rate,
    RedisUrl,
    Secret,
    SecretFile,
)

PREFIX = "ITEMLEDGER_"
DEFAULT_ENV_FILE = ".env"

# Names another file than `.env`, or none where it is empty: `up` gives its children exactly the
# settings they may touch, and a file in the working directory must not add to them.
ENV_FILE_VARIABLE = "ITEMLEDGER_ENV_FILE"

# Names a folder of files, each called like a setting with its value in it, as container engines,
# Kubernetes and systemd hand over secrets.
SECRETS_VARIABLE = "ITEMLEDGER_SECRETS_DIR"

SQLITE_PARTITIONS = 1
POSTGRESQL_PARTITIONS = 8
# Bytes, where the database tells by itself what is stale.
ITEM_CACHE = 64 * 1024 * 1024

# sun_path of a unix socket address holds 108 bytes on Linux and 104 on macOS, final NUL included.
_SOCKET_PATH_LIMIT = 103
# Redis clients split what a server tells of its connections at spaces and at `=`.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._/~+-]+")
# The `b64token` of RFC 6750, which is what follows `Bearer`.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")


# From weak to strong: may be lost when Redis ends, when the machine crashes, not at all.
Durability = Literal["none", "everysec", "fsync"]


class _Secrets(SecretsSettingsSource):
    """As everywhere, an empty value is no value."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Read a field's file, if it has one."""
        value, key, is_complex = super().get_field_value(field, field_name)
        return value or None, key, is_complex


class Settings(BaseSettings):
    """Facts, read once at the start of a process and then handed down as an argument."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=DEFAULT_ENV_FILE,
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )

    data: Path = Field(
        default=Path("data"), description="Folder of the embedded engines: one `up` at a time."
    )
    host: str = Field(default="127.0.0.1", description="Address both services listen on.")
    command_port: Port = Field(default=8000, description="Port of the command API.")
    query_port: Port = Field(default=8001, description="Port of the query API.")
    command_url: CommandUrl | None = Field(
        default=None,
        description="Public URL of the command API. "
        "Default: http:// with host (of all addresses: 127.0.0.1) and port.",
    )
    query_url: QueryUrl | None = Field(
        default=None,
        description="Public URL of the query API, in `Location` and links. "
        "Default: http:// with host (of all addresses: 127.0.0.1) and port.",
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Worker processes that `up` starts; on SQLite exactly 1.",
    )
    redis_url: RedisUrl | None = Field(
        default=None,
        description="Redis or Valkey that keeps the log. "
        "Default: the embedded Valkey of the data folder.",
    )
    ring_url: RedisUrl | None = Field(
        default=None,
        description="Redis for the doorbells (RQ) alone; may lose everything. "
        "Default: the log's Redis.",
    )
    database_url: DatabaseUrl | None = Field(
        default=None,
        description="SQLAlchemy URL, `postgresql+psycopg://…` or `sqlite:///…`. "
        "Default: SQLite in the data folder.",
    )
    partitions: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Partitions of the log, fixed at the first start. Default: what is stored, "
        "else 1 with the embedded engines and 8 with PostgreSQL or a Redis of your own.",
    )
    fresh_partitions: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Partitions where none are stored yet and `partitions` is not given; "
        "`up` sets it for its own children.",
    )
    default_currency: Currency = Field(
        default="EUR", description="ISO 4217 code of a new item that names none."
    )
    min_durability: Durability | None = Field(
        default=None,
        description="Least durability of the log with which the command API accepts: `fsync` (on "
        "disk before it answers), `everysec` (on disk within about two seconds) or `none`. "
        "Default: `fsync` with the embedded Valkey, `everysec` with a Redis of your own.",
    )
    wait_replicas: int = Field(
        default=0,
        ge=0,
        le=5,
        description="Replicas of the log's Redis that must have a command on disk before it is "
        "accepted.",
    )
    backlog_limit: int = Field(
        default=1_000_000,
        ge=1,
        le=1_000_000_000,
        description="Commands that may wait in the log; beyond it the command API refuses with "
        "503 until the workers have caught up.",
    )
    backlog_age: float | None = Field(
        default=None,
        gt=0,
        description="Seconds that the oldest command may wait in the log; beyond them the command "
        "API refuses with 503 until the workers have caught up. Default: any, for what is accepted "
        "is kept however long the workers are away.",
    )
    require_if_match: bool = Field(
        default=False,
        description="Whether a change of an item needs a condition (`If-Match`, or `if_version` in "
        "a row of a batch); without one it is answered with 428. Imports are exempt.",
    )
    cursor_secret: str = Field(
        default="itemledger",
        repr=False,
        description="Key that signs the cursors of paged answers, the same in all query processes. "
        "A cursor grants nothing: the default stops accidents, one of your own stops tampering.",
    )
    token_secret: Secret | None = Field(
        default=None,
        repr=False,
        description="Key that signs and checks the tokens of `itemledger token create`, at least "
        "32 characters; the same in both services. Without it and without `jwks_url` there are no "
        "tokens, and both services listen on this machine alone.",
    )
    token_secret_file: SecretFile | None = Field(
        default=None,
        description="File with the `token_secret` in it, where that is not given; for its owner "
        "alone to read (chmod 600).",
    )
    token_issuer: str = Field(
        default="itemledger", min_length=1, description="`iss` of our own tokens."
    )
    token_audience: str = Field(
        default="itemledger",
        min_length=1,
        description="`aud` that every token must name, ours and the identity provider's.",
    )
    cookie_domain: Domain | None = Field(
        default=None,
        description="Domain of the cookie that pages sign in with, such as `shop.example` for "
        "services at `read.shop.example` and `write.shop.example`. Default: the query API's host "
        "alone, which is enough where both services have the same one, on whichever ports.",
    )
    jwks_url: JwksUrl | None = Field(
        default=None,
        description="Where the keys of an identity provider are (a JWK set): https, or on this "
        "machine. Fetched every few minutes, and when a key is not known.",
    )
    jwks_issuer: str | None = Field(
        default=None, min_length=1, description="`iss` of the identity provider's tokens."
    )
    jwks_algorithms: Algorithms = Field(
        default="RS256,ES256",
        description="Algorithms that the identity provider's tokens may be signed with.",
    )
    followers_limit: int = Field(
        default=600,
        ge=0,
        le=10_000,
        description="Streams of `/changes/stream` that a query process serves at once; each is a "
        "connection and some 30 KB. Beyond it the answer is 503.",
    )
    item_cache: int | None = Field(
        default=None,
        ge=0,
        le=1024**4,
        description="Bytes that a query process keeps items in, so that one that is asked for "
        "often is not read each time; about 1 KB each. Without it 67108864 on SQLite, where what "
        "is answered is never older than the last commit, and 0 on PostgreSQL, where it may be as "
        "late as what workers tell. Lists that were answered are kept beside it on "
        "SQLite, in a quarter as much. 0 keeps none.",
    )
    rate_limit: Rate | None = Field(
        default=None,
        description="Most requests of one caller (a token's subject, else an address), such as "
        "`100/second` or `1000 per 5 minutes`; beyond it 429. Default: no limit.",
    )
    token: str | None = Field(
        default=None,
        min_length=1,
        repr=False,
        description="Token that `itemledger import`, `export` and `status` send.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="JSON lines or coloured text; `auto` looks for a terminal."
    )
    log_requests: bool = Field(
        default=False,
        description="Whether there is a line for every request that is answered and every command "
        "that is applied, with the ids that they are found by: of the request, the command and "
        "the trace.",
    )
    heartbeat: Path | None = Field(
        default=None,
        description="File that a worker or cron touches twice a second while it is alive; "
        "`up` sets it for its own children.",
    )
    witness: Path | None = Field(
        default=None,
        description="File in which a command API keeps how far it has acknowledged, so that the "
        "next one can tell what the log has lost meanwhile; one per process. "
        "`up` sets it for its own.",
    )
    failpoints: Path | None = Field(
        default=None,
        description="For tests of reliability only: folder in which a file named after a point "
        "of the program makes it fail there.",
    )

    @field_validator("token", mode="before")
    @classmethod
    def _plain_token(cls, token: object) -> object:
        """Take off the end of a line, as files have it, and refuse what no header can carry."""
        if not isinstance(token, str):
            return token
        # As it stands in a header, which it is pasted from.
        token = re.sub(r"\ABearer\s+", "", token.strip(), flags=re.IGNORECASE)
        if token and not _TOKEN.fullmatch(token):
            raise ValueError("has a character that no token has")
        return token or None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read, in this order: arguments, the environment, `.env` or what is named in its place,
        the folder of secrets.
        """
        named = os.environ.get(ENV_FILE_VARIABLE)
        if named is not None:
            dotenv_settings = DotEnvSettingsSource(settings_cls, env_file=named or None)
        secrets = os.environ.get(SECRETS_VARIABLE)
        if secrets:
            file_secret_settings = _Secrets(settings_cls, secrets_dir=secrets)
        return init_settings, env_settings, dotenv_settings, file_secret_settings

    @property
    def public_command_url(self) -> str:
        return (self.command_url or self.local_command_url).rstrip("/")

    @property
    def public_query_url(self) -> str:
        return (self.query_url or self.local_query_url).rstrip("/")

    @property
    def local_command_url(self) -> str:
        """URL at which this machine reaches the command API."""
        return self._local_url(self.command_port)

    @property
    def local_query_url(self) -> str:
        """URL at which this machine reaches the query API."""
        return self._local_url(self.query_port)

    @property
    def log_url(self) -> str:
        """URL of the Redis that keeps the log."""
        return self.redis_url or f"unix://{self.valkey_socket}"

    @property
    def doorbell_url(self) -> str:
        """URL of the Redis that carries RQ's doorbells."""
        return self.ring_url or self.log_url

    @property
    def sql_url(self) -> str:
        """URL of the database that keeps the ledger and the views."""
        return self.database_url or f"sqlite:///{self.data.absolute() / 'itemledger.db'}"

    @property
    def least_durability(self) -> Durability:
        """Durability of the log below which nothing is accepted."""
        return self.min_durability or ("fsync" if self.redis_url is None else "everysec")

    @property
    def signing_secret(self) -> str | None:
        """Secret that our own tokens are signed with, wherever it is."""
        if self.token_secret is not None or self.token_secret_file is None:
            return self.token_secret
        return self.token_secret_file.read_text("utf-8").strip()

    @property
    def has_keys(self) -> bool:
        """Whether somebody can show who they are; if not, nobody beyond this machine comes in."""
        return (
            self.token_secret is not None
            or self.token_secret_file is not None
            or self.jwks_url is not None
        )

    @property
    def is_started_by_up(self) -> bool:
        """Whether `up` has started this process, and has warned of what there was to warn of."""
        return self.fresh_partitions is not None

    @property
    def is_sqlite(self) -> bool:
        return self.sql_url.startswith("sqlite")

    @property
    def item_memory(self) -> int:
        """Bytes that a query process keeps items in."""
        if self.item_cache is not None:
            return self.item_cache
        return ITEM_CACHE if self.is_sqlite else 0

    @property
    def default_partitions(self) -> int:
        """Partition count of a deployment that neither says nor has stored one."""
        if self.fresh_partitions is not None:
            return self.fresh_partitions
        embedded = self.redis_url is None and self.is_sqlite
        return SQLITE_PARTITIONS if embedded else POSTGRESQL_PARTITIONS

    @property
    def valkey_socket(self) -> Path:
        """Socket of the embedded Valkey: in the data folder, or elsewhere if its path is long or
        has characters that Redis clients stumble over.
        """
        inside = self.data.absolute() / "valkey" / "valkey.sock"
        if len(os.fsencode(inside)) <= _SOCKET_PATH_LIMIT and _PLAIN_PATH.fullmatch(str(inside)):
            return inside
        name = hashlib.sha256(os.fsencode(self.data.absolute())).hexdigest()[:16]
        folder = tempfile.gettempdir()
        if not _PLAIN_PATH.fullmatch(folder):
            folder = "/tmp"  # noqa: S108  our folder in it is private, or refused
        return Path(folder) / f"itemledger-{os.getuid()}-{name}" / "valkey.sock"

    def _local_url(self, port: int) -> str:
        anywhere = self.host in {"0.0.0.0", "::", ""}  # noqa: S104  compared, never bound
        host = "127.0.0.1" if anywhere else self.host
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
