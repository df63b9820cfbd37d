"""The rules: services open transactions and orchestrate; they know neither Flask nor SQL nor paramiko."""
