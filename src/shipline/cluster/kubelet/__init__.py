"""The node's side of the cluster: pods become containers, and containers' fates become pod statuses.

A pod is a *sandbox* (a pause container that holds the network namespace and the pod's directory) and its
containers, which join that namespace. Everything made carries labels from which a kubelet that starts anew
knows it again, so the engine is the only memory. `kubelet.Kubelet` hands each pod to a `pod.PodWorker`.

The pause image (`shipline/pause`) is a static busybox with all its applets in PATH.
"""
