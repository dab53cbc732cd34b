"""The services that CHAD brings with it: PostgreSQL (with pgvector) and Redis, from wheels, without any set-up.

PostgreSQL belongs to nobody in particular. Whoever opens the first connection starts a small *keeper* process, whose
child is the server; whoever uses the database holds a shared lock on one file; when nobody holds it any more, the
keeper stops the server and ends. The kernel frees the locks of a process that dies, however it dies, so nothing has
to be tidied up after a crash. `make run` is a user like any other, and a command beside it shares its server.

Redis is only needed while workers run: the supervisor (and a test that needs it) starts it as its own child.

This package needs the standard library alone, so that settings may import it.
"""

from chad_site.embedded.errors import EmbeddedError
from chad_site.embedded.places import chad_home, postgres_settings, redis_url
from chad_site.embedded.users import ensure_postgres, release_postgres

__all__ = ["EmbeddedError", "chad_home", "ensure_postgres", "postgres_settings", "redis_url", "release_postgres"]
