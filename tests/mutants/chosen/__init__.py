"""Which mutants a selftest runs: a third of each kind, by the seed, or every one of them."""
