"""`python -m conformance.scale`: what `./conform bench` runs."""

import sys

from conformance.scale.command import main

sys.exit(main(sys.argv[1:]))
