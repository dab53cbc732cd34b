"""Files that lie in every release as they are: the loader and the download script. They travel alone."""
