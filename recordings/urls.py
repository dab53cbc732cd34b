from django.urls import path

from recordings import views

urlpatterns = [
    path("api/fragments/<uuid:fragment_id>/audio", views.FragmentAudio.as_view(), name="fragment-audio"),
    path("api/fragments/<uuid:fragment_id>/curve", views.FragmentCurve.as_view(), name="fragment-curve"),
    path(
        "api/cover-fragments/<uuid:cover_fragment_id>/audio",
        views.CoverFragmentAudio.as_view(),
        name="cover-fragment-audio",
    ),
]
