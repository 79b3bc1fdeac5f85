"""The peer: Celery with Redis, tasks that do nothing. The worker notes when a task starts if it is asked to."""

import os
import time

from celery import Celery

app = Celery("bench", broker=os.environ["BENCH_REDIS"], backend=os.environ["BENCH_REDIS"])


@app.task
def nothing():
    """Returns when it was started, by the machine's clock."""
    return time.time()
