"""A disk that hangs: opening a pipe that nobody reads from does, until somebody comes."""

import os
import threading


def hang(path):
    """Let opening ``path`` hang, until it is :func:`back`."""
    os.mkfifo(path)


def back(path, name):
    """Wait for the threads called ``name`` as well, so that they have no late word."""
    if path.is_fifo():
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        path.unlink()
        ended(name)
        os.close(descriptor)


def ended(name):
    for thread in threads(name):
        thread.join()


def threads(name):
    return [thread for thread in threading.enumerate() if thread.name == name]
