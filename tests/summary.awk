#!/usr/bin/awk -f
# Passes cargo's output on and ends it with the sum over all test programs: cargo ends with that of the last one alone.
{ print; fflush() }
/^test result: / { passed += $4; failed += $6; ignored += $8 }
/^SKIPPED/ { skipped++ }
END { printf "\n%d passed, %d failed, %d skipped\n", passed, failed, ignored + skipped }
