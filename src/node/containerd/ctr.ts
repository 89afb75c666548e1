import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Fault } from "#fault/fault";

/** The images of the CRI; those of other namespaces are invisible to it. */
const NAMESPACE = "k8s.io";
const SAID_BYTES = 4096;

/** containerd's own command line client: every call is one process with an argument array, never a shell. */
export class Ctr {
  readonly #program: string;
  readonly #socket: string;

  constructor(program: string, socket: string) {
    this.#program = program;
    this.#socket = socket;
  }

  /** Takes images from a tar archive: an OCI layout or what `docker save` writes. @throws {Fault} "CtrFailed"; what reading throws */
  async importFrom(
    archive: Readable,
    { snapshotter, signal }: { snapshotter: string; signal: AbortSignal },
  ): Promise<void> {
    const args = this.#arguments(["images", "import", "--snapshotter", snapshotter, "-"]);
    const child = spawn(this.#program, args, { stdio: ["pipe", "ignore", "pipe"], signal });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-SAID_BYTES);
    });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    const [read, code] = await Promise.allSettled([pipeline(archive, child.stdin), ended]);
    signal.throwIfAborted();
    if (code.status === "rejected") throw code.reason;
    // When ctr refuses what it is given the pipe breaks, and it says why; when reading fails it only says that the end is missing.
    if (read.status === "rejected" && !isBrokenPipe(read.reason)) throw read.reason;
    if (code.value !== 0) throw refusal("images import", said);
  }

  #arguments(command: readonly string[]): string[] {
    return ["--address", this.#socket, "--namespace", NAMESPACE, ...command];
  }
}

function isBrokenPipe(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "EPIPE" || code === "ECONNRESET" || code === "ERR_STREAM_PREMATURE_CLOSE";
}

/** Its last line is the error: `ctr: unexpected EOF`. */
function refusal(what: string, said: string): Fault {
  const last = said
    .trim()
    .split("\n")
    .at(-1)
    ?.replace(/^ctr: /, "");
  return new Fault("CtrFailed", `ctr ${what}: ${last || "it failed and said nothing"}`);
}
