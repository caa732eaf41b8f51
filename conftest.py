"""Every test may ask for a real cluster."""

pytest_plugins = ["rig.pytest_plugin"]
