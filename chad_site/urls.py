"""Every address, by the part that answers it."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from chad_site.health import healthz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("", include("annotation.urls")),
    path("", include("recordings.urls")),
    path("", include("ml_worker.urls")),
    path("admin/", admin.site.urls),
]
