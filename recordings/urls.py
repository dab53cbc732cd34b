from django.urls import path

import recordings.converters  # noqa: F401, what versions look like in addresses
from recordings import release_views, views

urlpatterns = [
    path("api/fragments/<uuid:fragment_id>/audio", views.FragmentAudio.as_view(), name="fragment-audio"),
    path("api/fragments/<uuid:fragment_id>/curve", views.FragmentCurve.as_view(), name="fragment-curve"),
    path(
        "api/cover-fragments/<uuid:cover_fragment_id>/audio",
        views.CoverFragmentAudio.as_view(),
        name="cover-fragment-audio",
    ),
    path("releases/", release_views.history, name="release-history"),
    path("releases/<version:version>/", release_views.release, name="release"),
    path("releases/<version:version>/<uuid:version_id>/", release_views.released_version, name="released-version"),
    path("releases/<version:version>/files/<path:path>", release_views.release_file, name="release-file"),
]
