"""Tickets: what a browser shows to store the take of a lease, whoever is signed in by then, or nobody.

A take may reach the server days after it was hummed: the session is over, a guest's cookie is gone, somebody else is
signed in on the same phone. The ticket allows one thing, to store takes of one lease in its holder's name; it says
nothing to read. It is signed, so nobody makes one, and it is good for as long as a browser keeps a take.
"""

from __future__ import annotations

from datetime import timedelta

from django.core import signing

from annotation.models import Lease

GOOD_FOR = timedelta(days=365)
SALT = "annotation.take"


def ticket_for(lease: Lease) -> str:
    return signing.dumps(str(lease.pk), salt=SALT)


def lease_of(ticket: str) -> Lease | None:
    """The lease that a ticket was made for; None where it is not ours, too old, or the lease is gone."""
    try:
        lease_id = signing.loads(ticket, salt=SALT, max_age=GOOD_FOR)
    except signing.BadSignature:
        return None
    return Lease.objects.select_related("slot__fragment__recording__song", "person").filter(pk=lease_id).first()
