"""Checks of the house itself: layers, locks, what may not be committed, the embedded database."""
