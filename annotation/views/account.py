"""Signing up and in, and a person's own account: what is kept of them, taking it along, and leaving."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm, UserCreationForm
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.views import LoginView
from django.db import IntegrityError, transaction
from django.db.models import Count
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation import figures, keeping, leaving, own_data, removal_words, removing, telling, wishes
from annotation.models import AboutSinger, Consent, Guest
from chad_site.errors import NotAllowed
from recordings.models import Humming

BACKEND = "django.contrib.auth.backends.ModelBackend"


class SignUpForm(UserCreationForm):
    """Django's form, with helps in our words."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].help_text = gettext_lazy("Letters, digits and . _ - + @, without spaces.")
        self.fields["password1"].help_text = gettext_lazy(
            "At least 8 characters, and nothing that everybody would guess."
        )
        self.fields["password2"].help_text = ""


def sign_up(request: HttpRequest) -> HttpResponse:
    """A new account; or, for a guest, a name and a password for what they have done already."""
    form = SignUpForm(request.POST or None)
    wished = request.POST.get("next") or request.GET.get("next", "")
    inside = url_has_allowed_host_and_scheme(wished, allowed_hosts={request.get_host()})
    guest = request.user if Guest.is_one(request.user) else None
    if request.method == "POST" and form.is_valid():
        person = _sign_up(form, guest)
        if person:
            login(request, person, backend=BACKEND)
            if guest:
                request.session.set_expiry(None)
                messages.success(request, _("Your takes are now kept under your name."))
            return HttpResponseRedirect(wished) if inside else redirect("hum")
    takes = guest.hummings.count() if guest else 0
    page = {"form": form, "next": wished if inside else "", "takes": takes}
    return render(request, "registration/sign_up.html", page)


def _sign_up(form: SignUpForm, guest: AbstractBaseUser | None) -> AbstractBaseUser | None:
    """The new account, or the guest as one; None where somebody took the name this very moment, which the form says."""
    try:
        if guest is None:
            with transaction.atomic():
                return form.save()
        keeping.keep_as(guest, form.cleaned_data["username"], form.cleaned_data["password1"])
    except NotAllowed as refusal:
        form.add_error(None, str(refusal))
        return None
    except IntegrityError:
        form.add_error("username", form.instance.unique_error_message(type(form.instance), ["username"]))
        return None
    return guest


class SignIn(LoginView):
    """Django's, and a guest who signs in brings the takes along."""

    template_name = "registration/sign_in.html"

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        guest = self.request.user if Guest.is_one(self.request.user) else None
        # Before the sign-in, which ends the guest's session: if moving fails, nothing has happened.
        moved = keeping.move_to(form.get_user(), guest) if guest else None
        response = super().form_valid(form)
        if moved:
            self.say(moved)
        return response

    def say(self, moved: keeping.Moved) -> None:
        if not moved.takes:
            return
        added = ngettext(
            "%(takes)d take that you hummed as a guest is now in your account.",
            "%(takes)d takes that you hummed as a guest are now in your account.",
            moved.takes,
        ) % {"takes": moved.takes}
        twice = ngettext(
            "%(twice)d of them is of a phrase that you had hummed already, so it was withdrawn.",
            "%(twice)d of them are of phrases that you had hummed already, so they were withdrawn.",
            moved.twice,
        ) % {"twice": moved.twice}
        messages.success(self.request, f"{added} {twice}" if moved.twice else added)


@login_required
@never_cache
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    consents = Consent.objects.filter(person=request.user).order_by("-version")
    takes = Humming.objects.filter(singer=request.user).exclude(state=Humming.State.WITHDRAWN).values("ai_training")
    counts = dict(takes.order_by().values_list("ai_training").annotate(n=Count("pk")))
    shown = {"consents": consents, "latest": consents.first(), "progress": figures.progress_of(request.user)}
    shown |= {"with_ai": counts.get(True, 0), "without_ai": counts.get(False, 0)}
    about = AboutSinger.objects.filter(person=request.user).first()
    return render(request, "account.html", shown | {"about": AboutSingerForm(instance=about)})


class TrainingWishForm(forms.Form):
    """Whether models may be trained on one's hums: on those to come, or on all."""

    ai_training = forms.ChoiceField(choices=[("yes", ""), ("no", "")])
    takes = forms.ChoiceField(choices=[("new", ""), ("all", "")])


@login_required
@require_POST
def training_wish(request: HttpRequest) -> HttpResponse:
    form = TrainingWishForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose yes or no, then press one of the two buttons."))
        return redirect("account")
    all_takes = form.cleaned_data["takes"] == "all"
    try:
        changed = wishes.wish(request.user, form.cleaned_data["ai_training"] == "yes", all_takes=all_takes)
    except NotAllowed as refusal:
        messages.error(request, str(refusal))
        return redirect("account")
    said = ngettext(
        "Saved, for new hums and for all that you have hummed: %(n)d take changed.",
        "Saved, for new hums and for all that you have hummed: %(n)d takes changed.",
        changed,
    )
    messages.success(request, said % {"n": changed} if all_takes else _("Saved, for what you hum from now on."))
    return redirect("account")


class AboutSingerForm(forms.ModelForm):
    """What a singer may tell of themselves: each answer, or none."""

    class Meta:
        model = AboutSinger
        fields = AboutSinger.TOLD
        labels = {
            "age_band": gettext_lazy("Age"),
            "gender": gettext_lazy("Gender"),
            "musical_training": gettext_lazy("Lessons in singing or an instrument"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.choices = [("", gettext_lazy("no answer")), *field.choices[1:]]


@login_required
@require_POST
def about_singer(request: HttpRequest) -> HttpResponse:
    form = AboutSingerForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Please choose one of the answers that are offered, or none."))
    elif telling.tell(request.user, form.cleaned_data):
        messages.success(request, _("Saved. Thank you. The next release tells it where five or more singers share it."))
    else:
        messages.success(request, _("Nothing is kept of your voice but your hums. No future release tells more."))
    return redirect("account")


@login_required
@never_cache
@require_safe
def download(request: HttpRequest) -> FileResponse:
    """Everything that is kept of the person, as a ZIP."""
    name = f"chad-{timezone.localdate().isoformat()}.zip"
    return FileResponse(own_data.archive(request.user), as_attachment=True, filename=name)


class LeaveForm(forms.Form):
    """How to leave, and the password as a proof; a guest has none."""

    takes = forms.ChoiceField(choices=[("keep", ""), ("withdraw", "")])
    password = forms.CharField(required=False, strip=False, widget=forms.PasswordInput)

    def __init__(self, person: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person
        self.fields["takes"].error_messages["required"] = gettext_lazy("Choose what becomes of your takes.")

    def clean_password(self) -> str:
        password = self.cleaned_data["password"]
        if self.person.has_usable_password() and not self.person.check_password(password):
            raise forms.ValidationError(_("This is not your password."))
        return password


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def leave(request: HttpRequest) -> HttpResponseBase:
    form = LeaveForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            leaving.leave(request.user, keep_takes=form.cleaned_data["takes"] == "keep")
        except NotAllowed as refusal:
            form.add_error(None, str(refusal))
        else:
            logout(request)
            messages.success(request, _("Your account is deleted. Thank you for having been here."))
            return redirect("home")
    status = 200 if request.method != "POST" else 422
    preview = removal_words.of_an_account(removing.touched_by_account(request.user, keep_takes=False))
    page = {"form": form, "progress": figures.progress_of(request.user), "withdrawing": preview}
    return render(request, "leave.html", page, status=status)
