"""Who the devices of a network are, and what people say of them.

- `devices`: names, notes, persons, taking one out and back; `device_identity`: what a reading tells of it
- `vendors`, `device_categories`: what its MAC and its name let guess
- `merge_suggestions`, `merged_devices`: several MACs that are one device
- `device_events`: it is new, gone, back or has another address
"""
