"""Stories over several subjects (journeys), checks of the house itself (house), and what all tests share."""
