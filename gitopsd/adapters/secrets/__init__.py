"""Opens what SOPS encrypted, in memory, with the age keys that the operator gave to an environment."""

from gitopsd.adapters.secrets.decryptor import SopsDecryptor
from gitopsd.adapters.secrets.keys import AgeKeys, read_keys
from gitopsd.adapters.secrets.seal import Seal

__all__ = ["AgeKeys", "Seal", "SopsDecryptor", "read_keys"]
