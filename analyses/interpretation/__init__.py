"""What a trained network has learnt to see, and what it looks at."""
