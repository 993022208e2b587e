"""`python -m foretell`: what `./conform foretell` runs."""

import gc
import sys

from foretell.command import main

gc.disable()  # nothing is in cycles, and there is much of it
sys.exit(main(sys.argv[1:]))
