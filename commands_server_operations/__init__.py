"""The router: the SSH connection pool and one function a command. paramiko is named only here."""
