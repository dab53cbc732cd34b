"""Who may do what. Anyone signed in may sing; reviewers are a group; admins are staff."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group
from django.http import HttpRequest
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from annotation.models import Guest, Participation, Study
from annotation.returning import by_id_alone
from chad_site.errors import Refused

REVIEWERS = "reviewers"

Person = AbstractBaseUser | AnonymousUser


def may_review(person: Person) -> bool:
    """Admins, members of the reviewers' group, and participants of a study of verdicts until their part is done."""
    if not person.is_authenticated or not person.is_active:
        return False
    return person.is_staff or person.groups.filter(name=REVIEWERS).exists() or Participation.lets_review(person)


def make_reviewer(person: AbstractBaseUser) -> None:
    group, _ = Group.objects.get_or_create(name=REVIEWERS)
    person.groups.add(group)


def roles(request: HttpRequest) -> dict[str, bool]:
    """Context of every page."""
    person = getattr(request, "user", None)
    if person is None or not person.is_authenticated:
        return {"can_review": False, "is_guest": False}
    # Who came back by a participant's id alone has no guest's rights: see annotation/returning.py.
    is_guest = Guest.is_one(person) and not by_id_alone(request)
    return {"can_review": may_review(person), "is_guest": is_guest}


STUDY_DONE = "You have judged all that your study asks for. The link at the top of the page tells the completion code."


class IsReviewer(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        if may_review(request.user):
            return True
        if request.user.is_authenticated and Participation.present_of(request.user, Study.Kind.REVIEW):
            raise Refused(STUDY_DONE, "study_done", 403)
        return False


class IsAdmin(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user.is_authenticated and request.user.is_staff)
