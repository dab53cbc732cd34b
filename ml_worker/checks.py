"""What Django checks of the settings before anything starts (`manage.py check`)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks

from ml_worker.models import SearchIndex


@checks.register
def index_engine(app_configs: Any, **options: Any) -> list[checks.CheckMessage]:
    """CHAD_INDEX names an engine that there is."""
    problem = SearchIndex.problem_with_setting()
    return [checks.Error(problem, id="ml_worker.E001")] if problem else []


@checks.register
def search_shards(app_configs: Any, **options: Any) -> list[checks.CheckMessage]:
    """CHAD_SEARCH_SHARDS is a number of shards."""
    if settings.SEARCH_SHARDS > 0:
        return []
    sentence = f"CHAD_SEARCH_SHARDS is {settings.SEARCH_SHARDS}; it should be a number of shards, from 1 on."
    return [checks.Error(sentence, id="ml_worker.E002")]
