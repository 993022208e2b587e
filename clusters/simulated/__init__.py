"""Nodes that exist in memory alone, with the specification for a proxy: no kernel, no privileges,
no programs.
"""
