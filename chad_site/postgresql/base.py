"""Django's PostgreSQL engine, which starts the embedded server when a command really opens a connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db.backends.postgresql import base
from django.db.backends.postgresql.client import DatabaseClient as PostgresClient
from django.db.utils import OperationalError

from chad_site.embedded import EmbeddedError, chad_home, ensure_postgres
from chad_site.embedded.places import Places
from chad_site.embedded.server import program
from chad_site.embedded.users import is_user


class DatabaseClient(PostgresClient):
    """`manage.py dbshell` with the embedded psql."""

    @classmethod
    def settings_to_cmd_args_env(cls, settings_dict: dict[str, Any], parameters: list[str]) -> tuple[list[str], Any]:
        ensure_postgres(chad_home())
        arguments, environment = super().settings_to_cmd_args_env(settings_dict, parameters)
        return [str(program("psql")), *arguments[1:]], environment


class DatabaseWrapper(base.DatabaseWrapper):
    """Connects as Django does, and sees before that (and when it fails) that the embedded server runs."""

    client_class = DatabaseClient

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Raises OperationalError with a sentence where the server cannot run."""
        home = chad_home()
        if self.settings_dict["HOST"] != str(Places(home).sockets):
            return super().get_new_connection(conn_params)
        if not is_user(home):
            ensure(home)
            return super().get_new_connection(conn_params)
        try:
            return super().get_new_connection(conn_params)
        except base.Database.OperationalError:
            ensure(home)  # the keeper may have been killed since
            return super().get_new_connection(conn_params)


def ensure(home: Path) -> None:
    try:
        ensure_postgres(home)
    except EmbeddedError as problem:
        raise OperationalError(str(problem)) from problem
