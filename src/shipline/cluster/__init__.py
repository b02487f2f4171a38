"""An embedded single-node Kubernetes on a container engine.

API server, controllers, kubelet, service proxy and DNS, for one machine: development, demonstrations and
tests. Knows nothing of pipelines; could be published alone.
"""
