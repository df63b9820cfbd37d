"""Who may do what: people, their browsers, their programs.

- `accounts`: somebody who signs in and what is his; `admission`: who may
- `sessions`: browsers that are signed in; `api_tokens`: programs; `secrets_at_rest`: what is stored of their secrets
- `sign_outs`: ending them from outside
"""
