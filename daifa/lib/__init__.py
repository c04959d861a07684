"""Ground: money, clock, process, sheets, http. Knows no commerce and imports nothing above itself."""
