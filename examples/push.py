"""Push numbers to a board: ``tickboard`` in one terminal, ``python examples/push.py [ADDRESS]`` in another."""

import random
import sys
import time

import tickboard

numbers = tickboard.push(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000")
queue = numbers.gauge("queue", "Jobs waiting", unit="jobs", labels=("worker",))
done = numbers.counter("jobs_done", "Jobs done", unit="jobs")
took = numbers.histogram("job_time", "Time of a job", unit="ms")

while True:
    for worker in ("a", "b"):
        seconds = random.uniform(0.01, 0.05)
        time.sleep(seconds)
        took.observe(seconds * 1000)
        done.inc()
        queue.labels(worker=worker).set(random.randrange(10))
