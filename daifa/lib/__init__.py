"""The ground: money, time, states, bulk rows, files. Nothing here knows commerce."""
