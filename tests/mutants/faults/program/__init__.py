"""Mutants whose fault is in kube-proxy's program: what it says, how it starts, and how it lives."""
