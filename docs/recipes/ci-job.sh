#!/bin/sh
# Runs a job of any CI: for at most JOB_TIMEOUT, red if it leaves a process behind, with a report to keep.
set -eu
exec pidns run --timeout "${JOB_TIMEOUT:-30m}" --grace 10s --leaks fail --report "${JOB_REPORT:-job.json}" -- "$@"
