# One image for every process: its command says which one it is.

FROM python:3.13-slim AS build

# The interpreter of this image and no other: both stages have it at the same place.
ENV UV_PYTHON_DOWNLOADS=never \
    UV_PROJECT_ENVIRONMENT=/opt/itemledger \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy

RUN pip install --no-cache-dir --disable-pip-version-check uv

WORKDIR /src

# The dependencies change less often than the code, so they are a layer of their own.
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-dev --all-extras --no-install-project

COPY README.md LICENSE ./
COPY api/ api/
COPY cli/ cli/
COPY domain/ domain/
COPY eventlog/ eventlog/
COPY itemledger_client/ itemledger_client/
COPY ledger/ ledger/
COPY readmodel/ readmodel/
COPY runtime/ runtime/
COPY worker/ worker/
RUN uv sync --locked --no-dev --all-extras --no-editable


FROM python:3.13-slim

RUN groupadd --gid 10001 itemledger \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin itemledger \
 && install --directory --owner=10001 --group=10001 --mode=0700 /data

COPY --from=build /opt/itemledger /opt/itemledger

# Nothing is written outside /data (the embedded engines) and /tmp, so the root may be read-only.
ENV PATH=/opt/itemledger/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ITEMLEDGER_DATA=/data

USER 10001:10001
WORKDIR /
# Within a container only its own processes reach 127.0.0.1: to publish the ports, give it
# ITEMLEDGER_HOST=0.0.0.0 and ITEMLEDGER_TOKEN_SECRET.
EXPOSE 8000 8001
STOPSIGNAL SIGTERM

# For `up`, the default. The other processes have checks of their own: see docker-compose.yml.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8001, timeout=4); c.request('GET', '/health/ready?for=reads'); raise SystemExit(c.getresponse().status != 200)"]

ENTRYPOINT ["itemledger"]
CMD ["up"]
