"""Which language a page is in: the reader's, of those that there are; English for those who run the place."""

from __future__ import annotations

from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

# What admins and reviewers use. Its exact terms are English alone, and so are its dates and numbers.
IN_ENGLISH = ("/manage/", "/review/", "/admin/", "/api/manage/", "/api/review/")


class ReadersLanguage(LocaleMiddleware):
    """The language that was chosen here, else the browser's first one that there is, else English."""

    def process_request(self, request: HttpRequest) -> None:
        if not request.path_info.startswith(IN_ENGLISH):
            super().process_request(request)
            return
        translation.activate("en")
        request.LANGUAGE_CODE = "en"
        request.speaks_english_alone = True
