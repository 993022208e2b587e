"""Which mutants a selftest runs: a quarter of each kind, by the seed, or every one of them."""
