"""What the public pages of releases show, each part in the reader's words.

The texts that lie in a release itself (how it is loaded and cited, what its columns mean) are in English, as they are
there.
"""
