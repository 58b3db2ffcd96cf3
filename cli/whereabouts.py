"""Where the `up` of a data folder serves, for whoever asks on the same machine.

`up` may have been given its ports as options, which no other command can know. It leaves them in
the folder that it has locked; what lies in a folder without a lock is of one that was killed.
"""

from pathlib import Path

import orjson

from cli.export_file import written_whole
from runtime.lock import is_taken
from runtime.settings import Settings

_FILE = "serving.json"
_URLS = frozenset({"command_url", "query_url"})
_PORTS = frozenset({"command_port", "query_port"})


def leave(settings: Settings) -> Path:
    """Write where the services will be, whole or not at all, and return the file. Raises Refusal
    where it can not be written.
    """
    path = settings.data / _FILE
    told = {each: getattr(settings, each) for each in sorted(_PORTS)}
    told |= {
        "command_url": settings.public_command_url,
        "query_url": settings.public_query_url,
    }
    with written_whole(path) as file:
        file.write(orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return path


def located(settings: Settings) -> Settings:
    """Take over where the `up` of the data folder serves. What was set, by an option or in the
    environment, stays; and a URL that was set says that the services may be anywhere.
    """
    given = settings.model_fields_set
    if given & _URLS or not is_taken(settings.data):
        return settings
    try:
        told = orjson.loads((settings.data / _FILE).read_bytes())
        ports = {each: int(told[each]) for each in _PORTS - given}
        urls = {each: str(told[each]) for each in _URLS}
    except (OSError, ValueError, KeyError, TypeError):
        # Nobody left it, or another release did in another form: the settings are all there is.
        return settings
    there = settings.model_copy(update=ports)
    public = {
        each: url
        for each, url in urls.items()
        # A port that was set is more than what `up` said of it.
        if each.replace("_url", "_port") not in given and url != _local(there, each)
    }
    return there.model_copy(update=public)


def _local(settings: Settings, url: str) -> str:
    return settings.local_command_url if url == "command_url" else settings.local_query_url
