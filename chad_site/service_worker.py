"""The service worker's script. It stands at the root, as a worker serves the pages under its own address."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    response = render(request, "service_worker.js", content_type="text/javascript")
    response["Cache-Control"] = "no-cache"
    return response
