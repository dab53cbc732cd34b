"""Writing the files of a release: audio, tables, curves, shards, texts and sums, whole or not at all."""
