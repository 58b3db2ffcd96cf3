"""The server of the command API."""

from api.problem_codes import BAD_REQUEST
from runtime import serving
from runtime.serving import Server, Words
from runtime.settings import Settings


def make_server(app: object, settings: Settings) -> Server:
    """Make the server of the application at the settings' address."""
    words = Words(settings.public_command_url, BAD_REQUEST)
    return serving.make_server(app, settings.host, settings.command_port, words)
