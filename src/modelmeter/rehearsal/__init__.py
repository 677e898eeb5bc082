"""What alerts would have fired: history replayed through the generated rules."""
