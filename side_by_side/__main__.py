"""`python -m side_by_side`: what `./conform` runs where several implementations are named."""

import sys

from side_by_side.command import main

sys.exit(main(sys.argv[1:]))
