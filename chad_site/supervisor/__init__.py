"""`make run`: everything that CHAD needs on one machine, as children of one process that watches over them."""
