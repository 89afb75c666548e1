import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureBusyboxImage, ensurePauseImage } from "../../../containerd/images/own-images.ts";
import type { AgentSettings } from "../../../testing/agent.ts";
import { NodeWorld } from "../../../testing/node-world.ts";

export const BIN_DIR = "/usr/lib/cni";
/** The first process of the machine: takes over orphans, and ends, with everything else, when the test does. */
const INIT = `
mount --make-rshared /
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
mount -t tmpfs -o size=600m tmpfs "$1"
echo up
read -r _
`;

/** A machine whose agents run pods in a containerd that they start. It has mounts and processes of its own too, so that all of it ends
 *  together. */
export class ContainerdWorld extends NodeWorld {
  readonly #init: ChildProcess;
  readonly #up: Promise<unknown>;
  #archive = "";

  constructor(tls: AgentSettings["tls"]) {
    super(tls);
    const namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const inside = ["bash", "-c", INIT, "init", this.diskFolder];
    mkdirSync(this.diskFolder, { recursive: true });
    this.#init = spawn("nsenter", [...super.entry(), "unshare", ...namespaces, ...inside], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    if (!this.#init.stdout) throw new Error("broken invariant: the output is a pipe");
    this.#up = once(this.#init.stdout, "data");
    writeNetworkConfig(this.#at("cni"), this.#at("ipam"));
    mkdirSync(this.#at("data/agent/images"), { recursive: true });
  }

  /** Files put here are imported. */
  get imagesFolder(): string {
    return this.#at("data/agent/images");
  }

  get registriesFile(): string {
    return this.#at("registries.yaml");
  }

  /** Where containerd keeps images and containers: a small disk of its own. */
  get diskFolder(): string {
    return this.#at("data/agent/containerd");
  }

  get containerdSocket(): string {
    return this.#at("run/containerd.sock");
  }

  override get agentPid(): number {
    return childOf(super.agentPid) ?? super.agentPid;
  }

  override async start(...args: Parameters<NodeWorld["start"]>): Promise<void> {
    if (this.#archive === "") await this.#makeImages();
    await this.#up;
    await super.start(...args);
  }

  /** Runs a program on this machine; returns what it says. */
  run(command: string, ...args: readonly string[]): string {
    return execFileSync("nsenter", [...this.entry(), command, ...args], { encoding: "utf8" });
  }

  protected override entry(): readonly string[] {
    return ["-t", String(childOf(this.#init.pid ?? -1)), "--net", "--mount", "--pid"];
  }

  protected override extraSettings(): Partial<AgentSettings> {
    const cni = { binDir: BIN_DIR, confDir: this.#at("cni") };
    const { registriesFile } = this;
    return { containerd: { stateDir: this.#at("run"), cni, registriesFile, archive: this.#archive } };
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#init, "exit");
    this.#init.kill("SIGKILL");
    await ended;
    await super[Symbol.asyncDispose]();
  }

  /** Made once for all worlds. */
  async #makeImages(): Promise<void> {
    const shared = join(this.settings.imagesDir, "containerd");
    mkdirSync(shared, { recursive: true });
    this.#archive = await ensurePauseImage(shared);
    const busybox = await ensureBusyboxImage(shared);
    if (busybox) copyFileSync(busybox, join(this.#at("data/agent/images"), "busybox.tar"));
  }

  #at(name: string): string {
    return join(this.dir, name);
  }
}

/** Debian's bridge, so that nothing here depends on Twill's own plugin. */
function writeNetworkConfig(folder: string, dataDir: string): void {
  mkdirSync(folder, { recursive: true });
  const config = {
    cniVersion: "1.0.0",
    name: "test",
    plugins: [
      {
        type: "bridge",
        bridge: "test0",
        isGateway: true,
        ipam: { type: "host-local", ranges: [[{ subnet: "10.88.0.0/24" }]], dataDir },
      },
      { type: "loopback" },
    ],
  };
  writeFileSync(join(folder, "10-test.conflist"), JSON.stringify(config));
}

/** `unshare` and `nsenter` wait for the process that they started inside. */
function childOf(pid: number): number | undefined {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    return first ? Number(first) : undefined;
  } catch {
    return undefined;
  }
}
