"""Analyses of architectures: exact integers, no training."""
