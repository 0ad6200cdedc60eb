"""Verification: are two images of the same person?"""
