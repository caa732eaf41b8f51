"""Where a kustomization leads, read before kustomize runs; and which file each of its objects came from."""
