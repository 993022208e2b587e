"""What stands between a mutated kube-proxy and what it works with: the tools by which it programs
the kernel, and the API server.
"""
