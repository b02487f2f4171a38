"""Peak memory of `shipline run` (the largest of its processes) for logs of growing length: it must not grow."""

import os
import shutil
import subprocess
import sys

from measure import SHIPLINE
from repositories import long_log

LENGTHS = (1_000, 1_000_000, 5_000_000)

if __name__ == "__main__":
    print(f"Peak memory by length of the log\n{'':24}{'MB':>8}{'ratio':>9}")
    shortest = 0.0
    for lines in LENGTHS:
        where = long_log(lines).make()
        process = subprocess.Popen([SHIPLINE, "run"], cwd=where, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        shutil.rmtree(where)
        if status:
            sys.exit(f"the run of {lines} lines ended with {os.waitstatus_to_exitcode(status)}")
        peak = used.ru_maxrss / 1024
        shortest = shortest or peak
        print(f"{lines:>16,} lines {peak:9.1f}{peak / shortest:9.2f}", flush=True)
