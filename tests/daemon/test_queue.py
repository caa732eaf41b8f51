"""One place per key, one worker per key; a key woken twice is worked on once."""

from __future__ import annotations

import threading

from gitopsd.daemon.queue import WakeQueue


def test_a_key_woken_twice_is_taken_once():
    queue = WakeQueue()
    queue.wake("a")
    queue.wake("a")
    queue.wake("b")

    assert [queue.take(), queue.take()] == ["a", "b"]
    assert queue.depth == 0


def test_a_key_that_is_worked_on_is_not_taken_again_until_it_is_given_back():
    queue = WakeQueue()
    queue.wake("a")
    queue.take()
    queue.wake("a")
    queue.wake("b")

    assert queue.take() == "b"
    queue.done("a")
    assert queue.take() == "a"


def test_an_earlier_wake_stands():
    queue = WakeQueue()
    queue.wake("a")
    queue.wake("a", after_s=3600)

    assert queue.take() == "a"


def test_a_sooner_wake_brings_a_later_one_forward():
    queue = WakeQueue()
    queue.wake("a", after_s=3600)
    queue.wake("a")

    assert queue.take() == "a"


def test_the_key_that_is_due_longest_goes_first():
    queue = WakeQueue()
    queue.wake("late", after_s=0.01)
    queue.wake("first")

    assert queue.take() == "first"


def test_a_waiting_worker_wakes_when_a_key_becomes_due():
    queue, taken = WakeQueue(), []
    worker = threading.Thread(target=lambda: taken.append(queue.take()), daemon=True)
    worker.start()
    queue.wake("a", after_s=0.05)
    worker.join(5)

    assert taken == ["a"]


def test_closing_lets_every_waiting_worker_go():
    queue, taken = WakeQueue(), []
    workers = [threading.Thread(target=lambda: taken.append(queue.take()), daemon=True) for _ in range(3)]
    for worker in workers:
        worker.start()
    queue.close()
    for worker in workers:
        worker.join(5)

    assert taken == [None, None, None]


def test_a_forgotten_key_is_not_taken():
    queue = WakeQueue()
    queue.wake("gone")
    queue.forget("gone")
    queue.wake("a")

    assert queue.take() == "a"


def test_no_key_is_ever_worked_on_by_two_workers():
    queue, busy, clashes, lock = WakeQueue(), set(), [], threading.Lock()
    left = threading.Semaphore(0)

    def work() -> None:
        while (key := queue.take()) is not None:
            with lock:
                if key in busy:
                    clashes.append(key)
                busy.add(key)
            with lock:
                busy.discard(key)
            queue.done(key)
            left.release()

    workers = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for worker in workers:
        worker.start()
    for number in range(2000):
        queue.wake(f"key-{number % 3}")
    assert left.acquire(timeout=10)
    queue.close()
    for worker in workers:
        worker.join(5)

    assert clashes == []
