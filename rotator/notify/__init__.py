"""What happens after a delivery: those who want to know of a rotation are told.

``notifier`` acts on the journal's notices; each kind of hook has a module of its own, loaded by
``making`` only where a policy has such a hook.
"""
