"""Log records as lines of JSON, with the trace id of the message at hand."""

from __future__ import annotations

import contextvars
import json
import logging
import time
from typing import Any

trace_id_var: contextvars.ContextVar[str] = contextvars.ContextVar("ncb_trace_id", default="")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_FIRST = ("event", "channel", "subscriber", "msg_id", "trace_id", "error_type")
_LONGEST = 2000


def get_trace_id() -> str:
    """The trace id of the message that is being published or handled here, or ""."""
    return trace_id_var.get()


class TraceIdFilter(logging.Filter):
    """Adds ``trace_id`` to records that have none."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not getattr(record, "trace_id", None):
            record.trace_id = get_trace_id()
        return True


class JSONFormatter(logging.Formatter):
    """One JSON object a record: ts, level, logger, msg, what the bus says, exc, extra."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": time.time(),
            "level": record.levelname,
            "logger": record.name,
            "msg": record.getMessage(),
        }
        added = {k: v for k, v in vars(record).items() if k not in _STANDARD}
        line.update({k: added.pop(k) for k in _FIRST if added.get(k) not in (None, "")})
        if record.exc_info:
            line["exc"] = self.formatException(record.exc_info)
        extra = {k: v for k, v in added.items() if k not in _FIRST and _is_short(v)}
        if extra:
            line["extra"] = extra
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=str)


def _is_short(value: object) -> bool:
    if isinstance(value, (list, dict)):
        return len(str(value)) < _LONGEST
    return value is None or isinstance(value, (str, int, float, bool))


def about(event: str, **fields: Any) -> dict[str, Any]:
    """The ``extra`` of a record of the bus; ``error`` becomes the name of its type."""
    error = fields.pop("error", None)
    if error is not None:
        fields["error_type"] = type(error).__name__
    return {"event": event, **fields}


def setup_json_logging(level: int = logging.INFO, logger_name: str = "NCB") -> logging.Logger:
    """A logger that writes JSON lines to stderr. Calling it again adds nothing."""
    return _with_handler(level, logger_name, JSONFormatter())


def setup_logging(level: int = logging.INFO, logger_name: str = "NCB") -> logging.Logger:
    """A logger that writes plain lines to stderr. Calling it again adds nothing."""
    form = logging.Formatter("%(asctime)s - %(name)s - %(levelname)s - %(message)s")
    return _with_handler(level, logger_name, form)


def _with_handler(level: int, name: str, formatter: logging.Formatter) -> logging.Logger:
    logger = logging.getLogger(name)
    logger.setLevel(level)
    if not any(isinstance(handler, logging.StreamHandler) for handler in logger.handlers):
        to_stderr = logging.StreamHandler()
        to_stderr.setFormatter(formatter)
        logger.addHandler(to_stderr)
        logger.propagate = False
    for handler in logger.handlers:
        if not any(isinstance(each, TraceIdFilter) for each in handler.filters):
            handler.addFilter(TraceIdFilter())
    return logger
