"""A thin Kubernetes client: kubeconfig, plain API calls, watches, logs and exec over a WebSocket.

The full clients take one to two seconds to import, which is more than a whole job may take. This one knows no
kinds: objects are plain dicts and paths are the API's own.
"""
