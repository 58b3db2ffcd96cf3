"""The OpenAPI documents, without a service that runs."""

from pathlib import Path

import orjson
from typer.testing import CliRunner

from api.openapi.document import document
from cli.main import app
from readmodel.openapi.document import openapi

URLS = {
    "ITEMLEDGER_COMMAND_URL": "https://write.example",
    "ITEMLEDGER_QUERY_URL": "https://read.example",
}


def test_both_documents_are_written_as_the_services_answer_them(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    done = CliRunner(env=URLS).invoke(app, ["openapi", "--output", str(folder)])
    assert done.exit_code == 0
    paths = [folder / "openapi-command.json", folder / "openapi-query.json"]
    assert done.output.split() == [str(each) for each in paths]
    assert [each.read_bytes() for each in paths] == [
        document("https://write.example"),
        openapi("https://read.example"),
    ]


def test_one_document_is_printed_and_nothing_else() -> None:
    done = CliRunner(env=URLS).invoke(app, ["openapi", "query"])
    assert done.exit_code == 0
    assert orjson.loads(done.stdout)["servers"] == [{"url": "https://read.example"}]


def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = CliRunner().invoke(app, ["openapi", "-o", str(tmp_path / "file" / "folder")])
    assert done.exit_code == 2
    assert "--output" in done.stderr
