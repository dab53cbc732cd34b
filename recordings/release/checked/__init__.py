"""Checking a folder that claims to be a release, without a database."""
