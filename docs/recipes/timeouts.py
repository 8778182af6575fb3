"""subprocess and asyncio with a time limit that holds for grandchildren too."""

import asyncio
import subprocess


def run(*command, timeout):
    """As subprocess.run: raises TimeoutExpired, and then nothing of the command is left.

    At the time limit subprocess kills `pidns run`, and everything goes with it. Without pidns it would kill the
    command alone, and leave its children running.
    """
    guarded = ["pidns", "run", "--", *command]
    return subprocess.run(guarded, capture_output=True, text=True, timeout=timeout)


async def run_async(*command, timeout):
    """The output of the command. If time is over, or the task is cancelled, nothing of the command is left."""
    process = await asyncio.create_subprocess_exec(
        "pidns", "run", "--", *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), timeout)
        return output.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
