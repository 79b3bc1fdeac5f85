"""Measures the worker of tasks.py: throughput, and enqueue to start of single tasks. Prints one line of JSON."""

import json
import sys
import time

from celery import group
from tasks import nothing

COUNT, SINGLE = int(sys.argv[1]), int(sys.argv[2])

group(nothing.s() for _ in range(50))().get(timeout=60)

latencies = []
for _ in range(SINGLE):
    began = time.time()
    latencies.append(nothing.delay().get(timeout=10) - began)

began = time.time()
group(nothing.s() for _ in range(COUNT))().get(timeout=120)
took = time.time() - began

json.dump({"rate": COUNT / took, "latencies": latencies}, sys.stdout)
