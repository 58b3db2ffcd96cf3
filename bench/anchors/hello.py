"""Flask's hello world as JSON: under gunicorn by its name, or on the server of the query API with
the same options, but with as many threads as named.

    gunicorn bench.anchors.hello:app
    ITEMLEDGER_QUERY_PORT=8001 python -m bench.anchors.hello 1

One thread suits it best; the hundreds that the query API has for those who wait cost it half of its
rate.
"""

import sys

from flask import Flask

from readmodel.main import make_server
from runtime.settings import Settings

app = Flask(__name__)


@app.get("/")
def hello() -> dict[str, str]:
    return {"message": "Hello, World!"}


def main() -> None:
    settings = Settings()
    server = make_server("hello", settings, settings.host)
    server.blocking_threads = int(sys.argv[1])
    server.serve(target_loader=lambda: app, wrap_loader=False)


if __name__ == "__main__":
    main()
