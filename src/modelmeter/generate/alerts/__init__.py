"""Alert rules: what somebody is told of, in words that need no statistics."""
