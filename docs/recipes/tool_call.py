"""A tool call of an agent: a command, for a limited time, with a report of what became of it."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path


def tool_call(command, timeout=30, output_limit=20_000):
    """Runs the command and says what came of it. When this returns, nothing of the command is left."""
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as output:
        report = Path(directory, "report.json")
        options = ["--timeout", f"{timeout}s", "--grace", "1s", "--report", str(report)]
        guarded = ["pidns", "run", "--quiet", *options, "--", *command]
        subprocess.run(guarded, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        output.seek(0)
        text = output.read(output_limit).decode(errors="replace")
        facts = json.loads(report.read_text())
    return {
        "exit_code": facts["exit_code"],
        "timed_out": facts.get("timed_out", False),
        "left_behind": [" ".join(process["command"]) for process in facts.get("leaks") or []],
        "error": facts["error"],
        "output": text,
    }


if __name__ == "__main__":
    json.dump(tool_call(sys.argv[2:], timeout=float(sys.argv[1])), sys.stdout)
