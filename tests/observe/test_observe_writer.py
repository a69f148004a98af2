import contextlib
import io
import os
import threading

import pytest

from rotator.observe.writer import CAPACITY, Writer

LINE = "x" * 200


@pytest.fixture
def reports():
    return []


@pytest.fixture
def pipe():
    """A pipe: the stream that is written to, and all that is read from it once asked."""
    reading, writing = os.pipe()
    read = bytearray()

    def drain():
        while part := os.read(reading, 1 << 16):
            read.extend(part)

    thread = threading.Thread(target=drain)

    def finish():
        if not thread.is_alive():
            thread.start()
        stream.close()
        thread.join()
        return read.decode().splitlines()

    stream = os.fdopen(writing, "w")
    yield stream, thread, finish
    if not stream.closed:
        finish()
    os.close(reading)


def test_lines_are_written_in_the_order_in_which_they_were_put(pipe, reports):
    stream, thread, finish = pipe
    writer = Writer(stream, reports.append)
    thread.start()
    for number in range(1000):
        writer.put(str(number), major=bool(number % 3))

    assert writer.flush(10)
    assert [str(number) for number in range(1000)] == finish()


def test_the_levels_of_a_logger_are_lines_of_more_or_less_weight(pipe, reports):
    stream, thread, finish = pipe
    writer = Writer(stream, reports.append)
    thread.start()
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(writer, level)(level)

    assert writer.flush(10)
    assert ["debug", "info", "warning", "error", "critical"] == finish()


def test_a_reader_that_stalls_keeps_nobody_waiting_and_costs_lines_of_little_weight(pipe, reports):
    stream, thread, finish = pipe
    writer = Writer(stream, reports.append)
    put = 3 * CAPACITY
    for number in range(put):
        writer.put(f"{number} {LINE}", major=number % 100 == 0)

    assert not writer.flush(0.001)
    assert [] == reports

    thread.start()
    assert writer.flush(30)
    numbers = [int(line.split()[0]) for line in finish()]
    assert sorted(numbers) == numbers
    assert put == len(numbers) + sum(reports)
    assert set(range(0, put, 100)) <= set(numbers)
    assert put - 1 == numbers[-1]


def test_when_all_lines_have_weight_the_oldest_go(pipe, reports):
    stream, thread, finish = pipe
    writer = Writer(stream, reports.append)
    put = 3 * CAPACITY
    for number in range(put):
        writer.put(f"{number} {LINE}", major=True)
    thread.start()

    assert writer.flush(30)
    assert put == len(finish()) + sum(reports)


def test_what_was_dropped_is_reported_after_the_lines_that_were_kept(pipe):
    stream, thread, finish = pipe
    writer = Writer(stream, lambda dropped: writer.put(f"dropped {dropped}", major=True))
    for _ in range(3 * CAPACITY):
        writer.put(LINE, major=False)
    thread.start()

    assert writer.flush(30)
    lines = finish()
    assert f"dropped {3 * CAPACITY - len(lines) + 1}" == lines[-1]


def test_when_the_reader_is_gone_nobody_is_told(reports):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        writer = Writer(stream, reports.append)
        writer.put("one", major=True)

        assert writer.flush(10)
        writer.put("two", major=True)
        assert writer.flush(0)
        assert [] == reports


def test_a_full_disk_costs_the_line_and_no_more(reports):
    with open("/dev/full", "w") as stream:  # noqa: PTH123 - a device
        writer = Writer(stream, reports.append)
        writer.put("one", major=True)
        writer.put("two", major=True)

        assert not writer.flush(0.01)
        assert [] == reports
        assert "2 events could not be written: No space left on device" == writer.complaint


def test_a_descriptor_that_does_not_block_is_waited_for(pipe, reports):
    stream, thread, finish = pipe
    os.set_blocking(stream.fileno(), False)
    with contextlib.suppress(BlockingIOError):
        while os.write(stream.fileno(), b"-" * 4096):
            pass
    writer = Writer(stream, reports.append)
    for _ in range(1000):
        writer.put(LINE, major=True)

    assert not writer.flush(0.05)
    thread.start()
    assert writer.flush(30)
    assert [LINE] * 999 == finish()[1:]


def test_what_was_printed_before_comes_before(pipe, reports):
    stream, thread, finish = pipe
    stream.write("printed\n")
    writer = Writer(stream, reports.append)
    writer.put("emitted", major=True)
    thread.start()

    assert writer.flush(10)
    assert ["printed", "emitted"] == finish()


def test_a_stream_without_a_descriptor_is_written_to(reports):
    stream = io.StringIO()
    writer = Writer(stream, reports.append)
    writer.put("one", major=True)

    assert writer.flush(10)
    assert "one\n" == stream.getvalue()


def test_half_a_surrogate_pair_is_written_escaped(pipe, reports):
    stream, thread, finish = pipe
    writer = Writer(stream, reports.append)
    writer.put("\ud800", major=True)
    thread.start()

    assert writer.flush(10)
    assert ["\\ud800"] == finish()


def test_nothing_runs_before_the_first_line(reports):
    before = threading.active_count()
    writer = Writer(io.StringIO(), reports.append)

    assert writer.flush(0)
    assert before == threading.active_count()
