"""The whole job, shown: a commit reaches the cluster, is proven healthy, or is put back. Not part of the product."""
