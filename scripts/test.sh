#!/usr/bin/env bash
# Installs what the tests need, builds everything, runs every test, and ends with a line that counts them.
# Usage: test.sh [CTEST_ARGUMENT...], e.g. test.sh -R passes
# Tests skip what is not here and say so: SINTER_SHARED names a folder with further models and what they are known to
# write (default: ../shared); SINTER_TEST_LARGE=1 also compiles a model of 2.5 GB.
set -euo pipefail
cd "$(dirname "$0")/.."

./scripts/install-packages.sh test
./scripts/build.sh --tests

jobs=$(nproc)
results=build/test-results.xml
status=0
ctest --test-dir build --output-on-failure --no-tests=error --timeout 900 -j "$jobs" --output-junit "$PWD/$results" "$@" || status=$?
/usr/bin/python3 - "$results" <<'PY' || status=1
import re, sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot()
cases = suite.findall("testcase")
skipped = [case for case in cases if case.get("status") in ("notrun", "disabled") or case.find("skipped") is not None]
failed = [case for case in cases if case.get("status") == "fail"]
for case in skipped:
    # As GoogleTest and the tests of test/e2e print it.
    reason = re.search(r": Skipped\n(.+)|^SKIPPED: [^:]+: (.+)", case.findtext("system-out") or "", re.MULTILINE)
    print("skipped:", case.get("name").split("  #")[0], "-", (reason[1] or reason[2]) if reason else "it says no reason")
for case in failed:
    print("failed:", case.get("name"))
print(f"{len(cases) - len(failed) - len(skipped)} passed, {len(failed)} failed, {len(skipped)} skipped")
sys.exit(1 if failed or len(cases) == len(skipped) else 0)
PY
exit "$status"
