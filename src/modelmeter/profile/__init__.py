"""What training looked like."""
