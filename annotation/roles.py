"""Who may do what. Anyone signed in may sing; reviewers are a group; admins are staff."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group
from django.http import HttpRequest
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from annotation.models import Guest

REVIEWERS = "reviewers"

Person = AbstractBaseUser | AnonymousUser


def may_review(person: Person) -> bool:
    """Admins and members of the reviewers' group."""
    if not person.is_authenticated or not person.is_active:
        return False
    return person.is_staff or person.groups.filter(name=REVIEWERS).exists()


def make_reviewer(person: AbstractBaseUser) -> None:
    group, _ = Group.objects.get_or_create(name=REVIEWERS)
    person.groups.add(group)


def roles(request: HttpRequest) -> dict[str, bool]:
    """Context of every page."""
    person = getattr(request, "user", None)
    if person is None or not person.is_authenticated:
        return {"can_review": False, "is_guest": False}
    return {"can_review": may_review(person), "is_guest": Guest.is_one(person)}


class IsReviewer(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return may_review(request.user)


class IsAdmin(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user.is_authenticated and request.user.is_staff)
