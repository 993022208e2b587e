"""`python -m releases`: what `./conform releases` runs."""

import sys

from releases.command import main

sys.exit(main(sys.argv[1:]))
