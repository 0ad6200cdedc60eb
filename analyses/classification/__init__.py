"""Networks trained from scratch."""
