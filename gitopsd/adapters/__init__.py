"""Touching. Each room here holds one library and answers to one port; none knows another."""
