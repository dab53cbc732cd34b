"""What the log says of a refused page: one line; what went wrong keeps its traceback."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client

from recordings.tests import factories

pytestmark = pytest.mark.django_db


def records_of(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "django.request"]


@pytest.mark.parametrize("address", ["/manage/", "/manage/songs/", "/review/"])
def test_a_refused_page_is_a_line_with_who_and_what(address, caplog):
    alice = factories.make_person("alice@example.org")
    client = Client()
    client.force_login(alice)
    assert client.get(address).status_code == 403
    [refused] = records_of(caplog)
    assert refused.getMessage() == f"Forbidden (Permission denied): {address}, asked for by person {alice.pk}"
    assert refused.levelname == "WARNING"
    assert "Traceback" not in caplog.text
    assert "alice@" not in caplog.text


def test_a_stranger_is_sent_to_sign_in_and_nothing_is_logged(caplog):
    assert Client().get("/manage/").status_code == 302
    assert records_of(caplog) == []


def test_a_stranger_who_is_refused_is_called_so(caplog, monkeypatch):
    monkeypatch.setattr("annotation.figures.totals", broken(PermissionDenied))
    assert Client().get("/").status_code == 403
    [refused] = records_of(caplog)
    assert refused.getMessage() == "Forbidden (Permission denied): /, asked for by a stranger"


def test_an_error_keeps_its_traceback(caplog, monkeypatch):
    monkeypatch.setattr("annotation.figures.totals", broken(RuntimeError))
    assert Client(raise_request_exception=False).get("/").status_code == 500
    [failed] = records_of(caplog)
    assert failed.exc_info
    assert "in refuse" in caplog.text


def broken(error: type[Exception]) -> Callable[[], None]:
    def refuse() -> None:
        raise error

    return refuse
