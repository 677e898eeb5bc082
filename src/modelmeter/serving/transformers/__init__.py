"""Transformers that count what they fill in and what they do not know."""
