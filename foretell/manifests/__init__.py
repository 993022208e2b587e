"""What operators hand in: Kubernetes objects as `kubectl get -o yaml` prints them, or manifests."""
