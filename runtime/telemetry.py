"""Logs: one structured line per thing that happened, JSON unless a person is watching."""

import logging
import sys

import structlog

from runtime.log_lines import line_renderer, wants_colours
from runtime.settings import Settings

# They tell of every step of theirs; what matters of it we say ourselves.
_CHATTY = (
    "rq",
    "rq.worker",
    "alembic",
    "alembic.runtime.migration",
    "uvicorn",
    "uvicorn.error",
)


def configure_logging(settings: Settings, process: str) -> None:
    """Send structlog and the standard library's loggers to stderr, each line naming its process."""
    as_json = settings.log_format == "json" or (
        settings.log_format == "auto" and not sys.stderr.isatty()
    )

    def named(
        _logger: object, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        # Not by a context variable: threads begin without those of who started them.
        event.setdefault("process", process)
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        named,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True)
        if as_json
        else structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else line_renderer(colours=wants_colours() and sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.log_level.upper()]
        ),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.processors.format_exc_info],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel("WARNING")
