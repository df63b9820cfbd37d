"""A whole OpenWrt home behind a real SSH server: the demo's router and the tests' router.

It imports nothing of the product, so that an error in the product cannot hide in its own mirror.
Start reading at `home.py` (ready-made homes) and `router.py` (one OpenWrt box).
"""
