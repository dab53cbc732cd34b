"""How well the automatic check tells hums apart, on real ones: `python -m ml_worker.judging.measure`."""

from ml_worker.judging.measure.mast import table

__all__ = ["table"]
