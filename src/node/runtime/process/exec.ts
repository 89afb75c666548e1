import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";
import type { ContainerExit, ExecResult } from "../runtime.ts";

const MAX_OUTPUT_BYTES = 10 * 1024;

/** How a process ended, with a signal told as 128 and its number. */
export function exitOf(code: number | null, signal: NodeJS.Signals | null): Omit<ContainerExit, "message"> {
  const status = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  return {
    code: status,
    finishedAt: new Date().toISOString(),
    reason: status === 0 ? "Completed" : "Error",
  };
}

/** The exit code and the first 10 KiB of output; killed when the time is over. */
export function collectOutput(child: ChildProcess, timeoutMs: number | undefined): Promise<ExecResult> {
  return new Promise((resolve) => {
    let isTimedOut = false;
    const said = [child.stdout, child.stderr].map((stream) => {
      const heard = { text: "" };
      stream?.on("data", (data: Buffer) => {
        if (heard.text.length < MAX_OUTPUT_BYTES) heard.text += data.toString("utf8");
      });
      return heard;
    });
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            isTimedOut = true;
            child.kill("SIGKILL");
            child.stdout?.destroy();
            child.stderr?.destroy();
          }, timeoutMs);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      const output = said
        .map(({ text }) => text)
        .join("")
        .slice(0, MAX_OUTPUT_BYTES);
      resolve({ code: exitOf(code, signal).code, output, errors: said[1]?.text ?? "", isTimedOut });
    });
  });
}
