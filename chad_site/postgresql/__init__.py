"""Django's database engine for the embedded PostgreSQL."""
