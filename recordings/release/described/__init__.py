"""What describes a release: its texts for people and its metadata for machines, made from `Facts` alone.

The same facts give the same bytes: no clock, no set order, nothing of the machine. Free of Django.
"""
