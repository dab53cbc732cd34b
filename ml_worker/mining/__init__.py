"""Aligned fragments: where two recordings share a melody. Free of Django."""
