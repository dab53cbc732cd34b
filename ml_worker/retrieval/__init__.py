"""Search among fingerprints, and how good it is. Free of Django."""
