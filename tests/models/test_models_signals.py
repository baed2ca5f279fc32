import os
import signal
import subprocess
import time

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")


def stop(process, number, delay):
    """Send a signal to the process and its workers, as a terminal does; return stderr.

    The delay counts from the moment that the run has announced itself.
    """
    process.stdout.readline()
    time.sleep(delay)
    os.killpg(process.pid, number)
    _, err = process.communicate(timeout=60)
    return [line for line in err.splitlines() if ": epoch " not in line]


@pytest.mark.parametrize("delay", [0.0, 0.03, 0.1, 0.4])
def test_ctrl_c_is_answered_also_while_workers_start(start, tmp_path, delay):
    process = start("run", "gaaf.table4", "--out", tmp_path, start_new_session=True)
    (line,) = stop(process, signal.SIGINT, delay)
    assert line.startswith("interrupted; run the same command to go on")
    assert process.returncode == 130
    assert not list(tmp_path.rglob(".*.tmp"))


def test_sigterm_is_answered_like_ctrl_c(start, tmp_path):
    process = start("run", "gaaf.table4", "--out", tmp_path)
    process.stdout.readline()
    process.terminate()
    _, err = process.communicate(timeout=60)
    lines = [line for line in err.splitlines() if ": epoch " not in line]
    assert len(lines) == 1
    assert lines[0].startswith("interrupted; run the same command to go on")
    assert process.returncode == 143


def test_ctrl_c_does_not_need_the_parents_handler(start, tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = start("run", "gaaf.table4", "--out", tmp_path, start_new_session=True)
    finally:
        signal.signal(signal.SIGINT, before)
    stop(process, signal.SIGINT, 0.1)
    assert process.returncode == 130


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_output_is_one_sentence(start):
    with open("/dev/full", "w") as full:
        process = start("list", stdout=full)
    assert process.communicate()[1] == (
        "standard output cannot be written (No space left on device)\n"
    )
    assert process.returncode == 1


def test_a_reader_that_has_gone_is_told_nothing(start):
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = start("list", stdout=write_end)
    os.close(write_end)
    assert process.communicate()[1] == ""
    assert process.returncode == 1


def test_two_runs_do_not_share_a_folder(start, tmp_path):
    first = start("run", "gaaf.table4", "--out", tmp_path, stderr=subprocess.DEVNULL)
    first.stdout.readline()
    second = start("run", "gaaf.table4", "--out", tmp_path)
    assert second.communicate(timeout=60)[1] == (
        f"another run works in {tmp_path} (process {first.pid}); wait for it or choose "
        "another folder with --out\n"
    )
    assert second.returncode == 1
    first.terminate()
    first.communicate(timeout=60)
    assert first.returncode == 143
