"""One module a command; each has ``command(arguments) -> exit code``."""
