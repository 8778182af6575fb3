// spawn with a time limit and an AbortSignal that hold for grandchildren too.
import { spawn } from "node:child_process";

/** Resolves to the exit code, signal and output of the command, or rejects with an AbortError.
    After the time limit (in milliseconds) or an abort, nothing of the command is left. */
export function run(command, { timeout, signal } = {}) {
  return new Promise((resolve, reject) => {
    // Whatever kills `pidns run` kills everything below it. SIGTERM would be passed on to the command instead.
    const child = spawn("pidns", ["run", "--", ...command], {
      stdio: ["ignore", "pipe", "inherit"],
      killSignal: "SIGKILL",
      timeout,
      signal,
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
    child.on("error", reject);
    child.on("close", (code, killedBy) => resolve({ code, killedBy, output }));
  });
}
