"""FastAPI takes our own item and gives it back: no log, no I/O, on the server of the command API.

ITEMLEDGER_COMMAND_PORT=8000 python -m bench.anchors.echo
"""

import uvloop
from fastapi import FastAPI

from api.schemas import CreateBody
from api.server import make_server
from runtime.settings import Settings

app = FastAPI()


@app.post("/items", status_code=202)
async def echo(body: CreateBody) -> CreateBody:
    return body


if __name__ == "__main__":
    uvloop.run(make_server(app, Settings()).serve())
