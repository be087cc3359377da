#!/usr/bin/env python3
"""Counts the cases in Meson's JUnit record and prints `N passed, N failed` as the last line.

Meson leaves a program that ran out of time, or that crashed between two of its cases, out of that record's failures, so
testlog.json beside it is asked too.

A test program that crashed, timed out or failed without naming a case counts as one failure.
Exit status 1 when anything failed, when a case was skipped without a reason, or when nothing ran.
"""
import json
import os
import sys
import xml.etree.ElementTree as ElementTree


def main(path):
    passed = failed = skipped = 0
    named = set()  # programs and cases that the record itself calls failed
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
                named.update((suite.get("name"), case.get("name")))
                print("failed: %s %s" % (suite.get("name"), case.get("name")))
            elif case.find("skipped") is not None:
                skipped += 1
                print("skipped: %s %s" % (suite.get("name"), case.get("name")))
            else:
                passed += 1
    with open(os.path.join(os.path.dirname(path), "testlog.json"), encoding="utf-8") as log:
        for program in map(json.loads, log):
            name = program["name"]
            if program["result"] in ("OK", "EXPECTEDFAIL", "SKIP"):
                continue
            if not any(known == name or known.endswith("." + name) for known in named):
                failed += 1
                print("failed: %s %s" % (program["name"], program["result"].lower()))
    if skipped:
        print("%d skipped" % skipped)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
