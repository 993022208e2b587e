"""Cilium's agent as a Service proxy: its description, and what that cannot say."""
