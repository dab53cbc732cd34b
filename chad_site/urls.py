"""Every address, by the part that answers it."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.decorators.cache import cache_control
from django.views.i18n import JavaScriptCatalog, set_language

from chad_site.health import healthz
from chad_site.service_worker import service_worker

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("service-worker.js", service_worker, name="service-worker"),
    path("language", set_language, name="set-language"),
    # The words of the pages' scripts in this language; its address in the page names language and version.
    path("words.js", cache_control(max_age=3600)(JavaScriptCatalog.as_view()), name="words"),
    path("", include("annotation.urls")),
    path("", include("recordings.urls")),
    path("", include("ml_worker.urls")),
    path("admin/", admin.site.urls),
]
