"""Mutants of a proxy whose Services are in BPF maps: what it has put there, altered afterwards."""
