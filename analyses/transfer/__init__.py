"""What a network that was trained on one kind of images brings to another."""
