"""What tests run on: the sandbox, control planes, nodes and the proxies on them."""
