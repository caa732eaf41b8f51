"""gitopsd: the cluster equals the environments repository, is proven healthy, or is put back."""

__version__ = "0.1.0"
