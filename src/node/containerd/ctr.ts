import { execFile, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Fault } from "#fault/fault";

/** The images of the CRI; those of other namespaces are invisible to it. */
const NAMESPACE = "k8s.io";
const MOST_OUTPUT = 8 * 1024 * 1024;
const SAID_BYTES = 4096;
/** For the short commands; an import or a pull takes what it takes, until aborted. */
const COMMAND_MS = 60_000;

/** containerd's own command line client: every call is one process with an argument array, never a shell. */
export class Ctr {
  readonly #program: string;
  readonly #socket: string;

  constructor(program: string, socket: string) {
    this.#program = program;
    this.#socket = socket;
  }

  /** Reference to digest of all images. @throws {Fault} "CtrFailed" */
  async images(signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const lines = (await this.#run(["images", "ls"], signal)).split("\n").slice(1);
    return new Map(
      lines.flatMap((line) => {
        const [reference, , digest] = line.trim().split(/\s+/);
        return reference && digest ? [[reference, digest] as const] : [];
      }),
    );
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

  /** Fetches an image, with the registries' settings in `certsDir`. @throws {Fault} "CtrFailed" */
  async pull(
    reference: string,
    options: { snapshotter: string; certsDir: string; signal: AbortSignal },
  ): Promise<void> {
    const { snapshotter, certsDir, signal } = options;
    await this.#run(
      ["images", "pull", "--snapshotter", snapshotter, "--hosts-dir", certsDir, reference],
      signal,
      0,
    );
  }

  /** Another name for an image; one that has it already is given up. @throws {Fault} "CtrFailed" */
  async tag(reference: string, other: string, signal: AbortSignal): Promise<void> {
    await this.#run(["images", "tag", "--force", reference, other], signal);
  }

  /** @throws {Fault} "CtrFailed" */
  async label(reference: string, label: string, signal: AbortSignal): Promise<void> {
    await this.#run(["images", "label", reference, label], signal);
  }

  #arguments(command: readonly string[]): string[] {
    return ["--address", this.#socket, "--namespace", NAMESPACE, ...command];
  }

  #run(command: readonly string[], signal: AbortSignal, timeout = COMMAND_MS): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { signal, timeout, maxBuffer: MOST_OUTPUT, encoding: "utf8" } as const;
      execFile(this.#program, this.#arguments(command), options, (error, stdout, stderr) => {
        if (!error) resolve(stdout);
        else if (signal.aborted) reject(signal.reason);
        else reject(refusal(command.slice(0, 2).join(" "), stderr || error.message));
      });
    });
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
