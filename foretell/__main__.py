"""`python -m foretell`: what `./conform foretell` runs."""

import sys

from foretell.command import main

sys.exit(main(sys.argv[1:]))
