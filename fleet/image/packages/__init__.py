"""Package databases of systems and languages, read from the file tree."""
