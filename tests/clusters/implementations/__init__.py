"""What describes Service proxies."""
