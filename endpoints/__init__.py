"""HTTP only: validate, one service call, respond."""
