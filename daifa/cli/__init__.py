"""The command-line door: `daifa …`, one module a subject. See main.py for how a command is added."""
