"""The parts of ``make bench``: what is measured, and how it is told."""
