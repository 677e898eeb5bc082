"""Statistics over counts: pure numpy, no I/O, no data frame, no threshold."""
