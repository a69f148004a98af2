"""The port: health, metrics and a page that shows how every policy stands.

``port`` serves, ``site`` says who may read what, ``page`` and ``timeline`` draw for a person.
"""
