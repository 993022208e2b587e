"""Real kind clusters, one for each proxy mode: kubeadm, kubelet and kube-proxy's DaemonSet in
containers of a Docker, with the lab joined to the node under test from outside.
"""
