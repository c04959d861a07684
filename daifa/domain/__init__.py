"""The subjects of the trade. Each may use those below it: see `[tool.importlinter]` in pyproject.toml for the order."""
