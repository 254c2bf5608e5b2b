"""A model of Llama 1B's shape in 4 bits: the compiler's peak memory, and what running it takes against what sinter inspect
promised. It needs 2.5 GB of disk and some minutes, so it runs only where SINTER_TEST_LARGE is set.
"""

import os
import subprocess
import unittest

import harness

COMPILER_PEAK = int(1.6 * 2**30)
RUNNING_SHARE = 0.05


def peak_bytes(*command):
    """Largest resident size of a program, as wait4 reports it; fails if the program does."""
    process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise AssertionError(f"{command} ended with {process.returncode}")
    return usage.ru_maxrss * 1024


@unittest.skipUnless(os.environ.get("SINTER_TEST_LARGE"), "set SINTER_TEST_LARGE=1 to compile a model of 2.5 GB")
class Large(unittest.TestCase):
    def test_memory(self):
        directory = harness.random_model("llama-1b", "bf16")
        package = harness.WORK / "llama-1b.sinter"
        peak = peak_bytes(harness.SINTERC, directory, "-o", package, "-q", "--quantize", "q4")
        print(f"compiler: {peak / 2**20:.0f} MiB at most")
        self.assertLess(peak, COMPILER_PEAK)
        for context, threads in ((512, 1), (4096, 2)):
            with self.subTest(context=context, threads=threads):
                promised = harness.sinter_json("inspect", package, "--context", context, "--threads", threads)
                total = promised["memory"]["total"]
                # The whole context is filled, so that every byte of the plan is touched.
                ids = ",".join(str(7 + id % 1000) for id in range(context - 2))
                used = peak_bytes(harness.SINTER, "run", package, "--prompt-ids", ids, "--max-tokens", 2, "--ignore-eos",
                                  "--context", context, "--threads", threads)
                print(f"context {context}, {threads} threads: promised {total:,} bytes, used {used:,} "
                      f"({100 * (used / total - 1):+.1f} %)")
                self.assertAlmostEqual(used / total, 1, delta=RUNNING_SHARE)


if __name__ == "__main__":
    harness.main()
