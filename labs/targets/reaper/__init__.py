"""What removes expired deployments from within the account, also when the laptop that made them is closed: a function on a schedule."""
