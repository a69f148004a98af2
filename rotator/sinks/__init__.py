"""Files on this machine that hold what the store holds, for those who cannot ask the store.

``render`` lays a key out, ``files`` puts it into its place, and ``keeper`` sees to it at each look,
whoever has rotated. No rotation waits for any of it.
"""
