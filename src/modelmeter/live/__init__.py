"""What production looks like: counts, and how they are exported."""
