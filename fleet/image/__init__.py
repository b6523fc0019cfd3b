"""From blobs to files: one streaming pass over a layer, then the tree that the layers make."""
