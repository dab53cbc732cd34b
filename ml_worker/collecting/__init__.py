"""Groups of covers: open lists and folders that name them, what is kept of a search, and how many videos are lost.

Free of Django; imports the standard library and scientific libraries.
"""
