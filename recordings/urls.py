from django.urls import path

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
    path("releases/<str:version>/", release_views.release, name="release"),
    path("releases/<str:version>/<uuid:version_id>/", release_views.released_version, name="released-version"),
    path("releases/<str:version>/files/<path:path>", release_views.release_file, name="release-file"),
]
