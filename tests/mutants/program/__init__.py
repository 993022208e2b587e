"""Mutants whose fault is in kube-proxy's program: one binary, built with the faults of all of them,
each of which is there only where the program is told so.
"""
