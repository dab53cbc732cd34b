"""Melody into fingerprints: pitch image, network, losses, training, checkpoints. Free of Django."""
