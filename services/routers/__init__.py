"""The routers of an account: where they are, how one gets in, and whether they are well.

- `routers`: registering, changing, deleting, trying out
- `credentials`: how their passwords are kept; `key_rotation`: a new key for them
- `router_contacts`: who answered, and when one that refused is asked again; `freshness`: how old its last reading is
- `router_doctor`: what makes its counters wrong, from `router_facts`; `router_fixes`: the commands that mend it
"""
