"""`python -m migrate`: what `./conform migrate` runs."""

import sys

from migrate.command import main

sys.exit(main(sys.argv[1:]))
