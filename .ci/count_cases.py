"""Counts the test cases in the XML files that a bazel test run has left.

usage: count_cases.py TESTLOGS STATUS
STATUS is bazel's exit status: where it isn't 0 something failed, be it only the
build, and so does this.
"""
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def count(file):
    """(passed, failed) of one target."""
    cases = failed = 0
    for case in ElementTree.parse(file).iter("testcase"):
        if case.get("status") == "notrun" or case.find("skipped") is not None:
            continue
        cases += 1
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
    return cases - failed, failed


def main():
    status = int(sys.argv[2])
    passed = failed = 0
    for file in sorted(pathlib.Path(sys.argv[1]).rglob("test.xml")):
        counts = count(file)
        passed += counts[0]
        failed += counts[1]
    if status != 0 and failed == 0:
        failed = 1  # a build that broke, or a test that died without a report
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if status == 0 and failed == 0 and passed > 0 else 1)


main()
