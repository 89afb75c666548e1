import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Answer, HostSettings, Question } from "./host.ts";

const HOST = fileURLToPath(new URL("./host.ts", import.meta.url));
/** Where Debian's containernetworking-plugins are. */
export const DEBIAN_PLUGINS = "/usr/lib/cni";
const DEADLINE_MS = 20_000;
let sites = 0;

/** A machine of its own with a CNI runtime on it: a network and a mount namespace, a folder, and nothing of the host's `/run`. */
export class Site implements AsyncDisposable {
  readonly netns = `twt-${process.pid}-cni${sites++}`;
  readonly dir = mkdtempSync(join(tmpdir(), "twt-cni-"));
  /** What the runtime logged. */
  log = "";
  readonly #settings: HostSettings;
  readonly #asked = new Map<number, (answer: Answer) => void>();
  #next = 0;
  #host: ChildProcess | undefined;

  constructor({ timeoutMs = 20_000, binDirs }: { timeoutMs?: number; binDirs?: readonly string[] } = {}) {
    this.#settings = {
      dir: this.dir,
      timeoutMs,
      binDirs: binDirs ?? [join(this.dir, "bin"), DEBIAN_PLUGINS],
    };
    for (const name of ["bin", "net.d"]) mkdirSync(join(this.dir, name));
    execFileSync("ip", ["netns", "add", this.netns]);
    execFileSync("ip", ["-n", this.netns, "link", "set", "lo", "up"]);
    this.start();
  }

  /** Starts the runtime, again after it was killed. Mounts of a machine that was killed are gone, as after a reboot. */
  start(): void {
    const script = `mount -t tmpfs none /run && exec "$0" "$@"`;
    const host = spawn(
      "nsenter",
      [
        `--net=/run/netns/${this.netns}`,
        "unshare",
        "--mount",
        "sh",
        "-c",
        script,
        process.execPath,
        HOST,
        JSON.stringify(this.#settings),
      ],
      { stdio: ["pipe", "pipe", "pipe"] },
    );
    this.#host = host;
    host.stderr.on("data", (text) => {
      this.log += text;
    });
    createInterface({ input: host.stdout }).on("line", (line) => {
      const { id, ...answer } = JSON.parse(line) as Answer & { id: number };
      this.#asked.get(id)?.(answer as Answer);
      this.#asked.delete(id);
    });
  }

  /** Ends the runtime as the kernel would: at once. */
  async kill(): Promise<void> {
    const host = this.#host;
    if (!host) return;
    const ended = new Promise((resolve) => host.once("exit", resolve));
    host.kill("SIGKILL");
    await ended;
    this.#host = undefined;
  }

  /** A file of the configuration folder, there at once as a whole. */
  configure(name: string, config: unknown): void {
    writeFileSync(
      join(this.dir, "net.d", name),
      typeof config === "string" ? config : JSON.stringify(config),
    );
  }

  /** A plugin of our own: a shell script. */
  plugin(name: string, script: string): void {
    const path = join(this.dir, "bin", name);
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
  }

  async tell(question: Question): Promise<Answer> {
    const id = this.#next++;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#asked.set(id, resolve);
    this.#host?.stdin?.write(`${JSON.stringify({ id, question })}\n`);
    return promise;
  }

  /** @throws when the answer is an error */
  async ask<T = unknown>(question: Question): Promise<T> {
    const answer = await this.tell(question);
    if ("error" in answer) throw new Error(answer.error);
    return answer.value as T;
  }

  sh(script: string, containerId?: string): Promise<string> {
    return this.ask({ do: "sh", script, ...(containerId === undefined ? {} : { containerId }) });
  }

  /** Polls until `probe` gives something, for a bounded time. */
  async until<T>(what: string, probe: () => Promise<T | undefined>): Promise<T> {
    for (const end = Date.now() + DEADLINE_MS; ; ) {
      const found = await probe();
      if (found !== undefined) return found;
      if (Date.now() > end) throw new Error(`waited too long: ${what}\n${this.log}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  ready(): Promise<true> {
    return this.until("there is a network", async () =>
      (await this.ask({ do: "complaint" })) === null ? true : undefined,
    );
  }

  /** Files in a folder of the site, none when it is not there. */
  files(...path: readonly string[]): readonly string[] {
    try {
      return readdirSync(join(this.dir, ...path)).sort();
    } catch {
      return [];
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    execFileSync("ip", ["netns", "delete", this.netns]);
    rmSync(this.dir, { recursive: true, force: true });
  }
}
