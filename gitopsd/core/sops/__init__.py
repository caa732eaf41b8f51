"""What SOPS writes, understood without a key: which files are encrypted, by which rules, and how they are opened."""
