"""Entity types: the studio's own and those of a data file."""
