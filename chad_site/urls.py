"""Every address, by the part that answers it."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.utils import timezone
from django.views.decorators.cache import cache_control
from django.views.decorators.http import last_modified
from django.views.i18n import JavaScriptCatalog, set_language

from chad_site.health import healthz
from chad_site.service_worker import service_worker

# Translations are read once, when a process starts.
STARTED = timezone.now()
as_of_start = last_modified(lambda request, **named: STARTED)

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("service-worker.js", service_worker, name="service-worker"),
    path("language", set_language, name="set-language"),
    # The words of the pages' scripts in this language, asked for anew and sent again only after a new start.
    path("words.js", cache_control(no_cache=True)(as_of_start(JavaScriptCatalog.as_view())), name="words"),
    path("", include("annotation.urls")),
    path("", include("recordings.urls")),
    path("", include("ml_worker.urls")),
    path("admin/", admin.site.urls),
]
