"""Which mutants a selftest runs: an eighth of each kind, by the seed, or every one of them."""
