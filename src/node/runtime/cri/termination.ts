import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { decodeLogLine } from "../../logs/line.ts";
import type { ContainerStatus } from "./generated/types.ts";
import { ANNOTATION } from "./names.ts";

const MAX_MESSAGE_BYTES = 4096;
const FALLBACK_LINES = 80;
const FALLBACK_BYTES = 2048;

/** The files that containers write their last words to: `<folder>/<pod uid>/<container>/<attempt>`. */
export class TerminationFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** An empty file that whoever runs in the container may write to. */
  make(podUid: string, container: string, attempt: number): string {
    const path = join(this.#folder, podUid, container, String(attempt));
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    writeFileSync(path, "");
    chmodSync(path, 0o666);
    return path;
  }

  remove(podUid: string, container: string, attempt: number): void {
    rmSync(join(this.#folder, podUid, container, String(attempt)), { force: true });
  }

  removePod(podUid: string): void {
    rmSync(join(this.#folder, podUid), { recursive: true, force: true });
  }

  /** Pods whose end nobody saw leave nothing behind either. */
  keepOnly(podUids: ReadonlySet<string>): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o755 });
    for (const uid of readdirSync(this.#folder)) if (!podUids.has(uid)) this.removePod(uid);
  }
}

/** What a container said at its end: the last 4096 bytes of its file; or of an empty one, when its pod wants that and it failed, the end
 *  of its log (80 lines, 2048 bytes). */
export async function terminationMessage(status: ContainerStatus): Promise<string> {
  const { annotations, mounts, exitCode, logPath } = status;
  const wanted = annotations[ANNOTATION.terminationPath];
  const mount = mounts.find(({ containerPath }) => containerPath === wanted);
  const written = mount ? await tail(mount.hostPath, MAX_MESSAGE_BYTES) : "";
  const fallsBack = annotations[ANNOTATION.terminationPolicy] === "FallbackToLogsOnError";
  if (written !== "" || exitCode === 0 || !fallsBack || logPath === "") return written;
  return logTail(await tail(logPath, 16 * FALLBACK_BYTES));
}

function logTail(text: string): string {
  const lines = text.split("\n").slice(-FALLBACK_LINES - 1);
  const contents = lines.flatMap((line) => {
    const decoded = decodeLogLine(Buffer.from(line));
    return decoded ? [`${decoded.content}${decoded.isPartial ? "" : "\n"}`] : [];
  });
  return Buffer.from(contents.join("")).subarray(-FALLBACK_BYTES).toString("utf8");
}

/** The end of a file that may be as long as its container wished, or no longer be there. */
async function tail(path: string, bytes: number): Promise<string> {
  try {
    await using file = await open(path, "r");
    const { size } = await file.stat();
    const into = Buffer.alloc(Math.min(bytes, size));
    const { bytesRead } = await file.read(into, 0, into.length, size - into.length);
    return into.toString("utf8", 0, bytesRead);
  } catch {
    return "";
  }
}
