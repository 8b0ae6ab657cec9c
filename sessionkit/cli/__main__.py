"""`python -m sessionkit.cli`."""

from sessionkit.cli import main

main()
