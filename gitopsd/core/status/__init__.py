"""What people see of an environment: one model behind `/status`, the command line and the metrics. Pure."""
