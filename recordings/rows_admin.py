"""Rows to be looked at in Django's admin: found, filtered and read, and changed only where the design allows it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import FileField, JSONField, Model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

# More of a JSON value than this is cut: letters.
LONGEST_JSON = 20_000


class RowsAdmin(admin.ModelAdmin):
    """Every field is shown, none is changed, unless `changeable` names it; nothing is added or deleted by hand.

    What people and machines made is evidence, and is only ever followed by more of it. Files are told by their names:
    they are private, and have no address.
    """

    changeable: tuple[str, ...] = ()
    # Keys of JSON values that are nobody's business.
    secret_keys: tuple[str, ...] = ()
    show_full_result_count = False
    list_per_page = 50

    def __init__(self, model: type[Model], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        # Once and for all: Django compares what it is given here with what it is given there.
        self._columns = [self._shown(field) for field in model._meta.fields]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(self.changeable) and super().has_change_permission(request, obj)

    def has_act_permission(self, request: HttpRequest) -> bool:
        """For actions: whoever may change such rows by Django's permissions, although no field is open to them."""
        return super().has_change_permission(request)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str | Callable[[Model], str]]:
        return self._columns

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return [column for column in self._columns if column not in self.changeable]

    def _shown(self, field: Any) -> str | Callable[[Model], str]:
        if isinstance(field, FileField):
            return told_as(field, lambda row: getattr(row, field.name).name or "–")
        if isinstance(field, JSONField):
            return told_as(field, lambda row: self.json_in_lines(getattr(row, field.name)))
        return field.name

    def json_in_lines(self, value: Any) -> SafeString | str:
        if value is None:
            return "–"
        if isinstance(value, dict):
            value = {key: "(kept secret)" if key in self.secret_keys else item for key, item in value.items()}
        text = json.dumps(value, indent=1, ensure_ascii=False)
        more = " …" if len(text) > LONGEST_JSON else ""
        return format_html('<pre class="json">{}{}</pre>', text[:LONGEST_JSON], more)


def told_as(field: Any, tell: Callable[[Model], str]) -> Callable[[Model], str]:
    """A column of the admin that tells a field in other words, under the field's own name."""

    @admin.display(description=field.verbose_name)
    def told(row: Model) -> str:
        return tell(row)

    return told


def seconds(name: str, digits: int = 2) -> Callable[[Model], str]:
    """A column of seconds."""

    @admin.display(description=name.removesuffix("_s").replace("_", " "), ordering=name)
    def told(row: Model) -> str:
        value = getattr(row, name)
        return "–" if value is None else f"{value:.{digits}f} s"

    return told
