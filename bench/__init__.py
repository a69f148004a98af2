"""How fast and how light rotator is, as ratios: ``make bench``.

Every figure is taken against something else in the same run, the two in turns, so that a machine
that is busy or slow is so for both. Each module in ``rows`` measures one row of the table that
``docs/performance.md`` shows.
"""
