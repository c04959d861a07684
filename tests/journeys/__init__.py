"""Whole stories, from the first file to the books."""
