"""JSON from outside, read so that nothing in it can break the server."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


def safe_json(text: str) -> Any:
    """The value of a JSON text that the database can store: no NaN, no NUL, no half of a surrogate, not too deep.

    Raises:
        ValueError: with a sentence.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
        plain = json.dumps(value, ensure_ascii=False, allow_nan=False)
        plain.encode("utf-8")
    except RecursionError as problem:
        raise ValueError("The JSON is nested too deeply.") from problem
    except UnicodeEncodeError as problem:
        raise ValueError("The JSON holds a broken character.") from problem
    except json.JSONDecodeError as problem:
        raise ValueError(f"This is not JSON: {problem}.") from problem
    if "\\u0000" in plain:
        raise ValueError("The JSON holds a NUL character.")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number.")


class SafeJSONParser(JSONParser):
    """DRF's parser, with safe_json's refusals as a 400."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: dict | None = None) -> Any:
        try:
            return safe_json(stream.read().decode("utf-8"))
        except ValueError as problem:
            raise ParseError(str(problem)) from problem
