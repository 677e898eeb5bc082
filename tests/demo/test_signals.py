"""Tests of modelmeter.demo.signals."""

import os
import signal
import threading

import pytest

from modelmeter.demo.signals import STOPPING, Interrupted, Interrupts


@pytest.mark.parametrize("signum", STOPPING)
def test_first_signal_interrupts(signum: signal.Signals):
    """Each of the signals that stop raises Interrupted, with the status a shell would show."""
    with pytest.raises(Interrupted) as caught, Interrupts():
        os.kill(os.getpid(), signum)
    assert caught.value.exit_status == 128 + signum


def test_later_signals_do_nothing():
    """Cleaning up after the first signal is not cut short by a second one."""
    cleaned = False
    with Interrupts():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except Interrupted:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            cleaned = True
    assert cleaned


def test_ignored_once_cleaning_up():
    """After ignore() no signal interrupts."""
    with Interrupts() as interrupts:
        interrupts.ignore()
        os.kill(os.getpid(), signal.SIGTERM)


def test_held_back_until_the_block_is_done():
    """A signal inside held() interrupts when the block has been finished, not before."""
    steps = []

    def work() -> None:
        with Interrupts() as interrupts:
            with interrupts.held():
                os.kill(os.getpid(), signal.SIGINT)
                steps.append("inside")
            steps.append("after")

    with pytest.raises(Interrupted):
        work()
    assert steps == ["inside"]


def test_no_handler_of_errors_takes_it():
    """Interrupted passes through `except Exception`."""
    assert not issubclass(Interrupted, Exception)


def test_handlers_are_put_back():
    """Leaving restores the handlers that were there before."""
    before = [signal.getsignal(signum) for signum in STOPPING]
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(signum) for signum in STOPPING] == before


def test_nothing_changes_off_the_main_thread():
    """In another thread, where Python delivers no signals, no handler is set."""
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def enter() -> None:
        with Interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]
