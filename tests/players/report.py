"""Counts what passed and failed, in one form for every harness: `ok`/`FAILED`/`SKIPPED` lines and a closing tally."""

import sys
import time


class Report:
    def __init__(self, part):
        self.part, self.passed, self.failed, self.skipped = part, 0, 0, 0
        self.begin = time.monotonic()

    def case(self, name, trial, seconds=None):
        """Runs `trial()`; an exception is a failure, the string it returns a remark. Tells whether it passed.

        `seconds` is what it took where the work was done before.
        """
        begin = time.monotonic()
        try:
            remark = trial() or ""
        except Exception as error:  # every fault of a trial is its failure, whatever its type
            self.failed += 1
            words = str(error).strip() or type(error).__name__
            print(f"FAILED   {self.part}: {name}: {words}", flush=True)
            return False
        self.passed += 1
        took = seconds or time.monotonic() - begin
        print(f"ok       {self.part}: {name} ({took:.1f} s) {remark}".rstrip(), flush=True)
        return True

    def skip(self, name, reason):
        self.skipped += 1
        print(f"SKIPPED  {self.part}: {name}: {reason}", flush=True)

    def close(self):
        """Prints the tally that tests/run adds up and leaves with 1 if anything failed or nothing ran."""
        tail = f", {self.skipped} skipped" if self.skipped else ""
        took = time.monotonic() - self.begin
        print(f"{self.part}: {self.passed} passed, {self.failed} failed{tail} ({took:.0f} s)", flush=True)
        sys.exit(1 if self.failed or not self.passed else 0)
