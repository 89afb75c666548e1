/** A node of its own for tests of the executable: a network namespace, an agent in it that can be killed, and calls as a runtime
 *  makes them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CLAIMS } from "#kernel/claims";
import type { Kernel, Netns } from "#kernel/kernel";
import { openKernel } from "#kernel/open";
import { installPlugin } from "../plugin/install.ts";
import type { PluginAgentSettings } from "./plugin-agent.ts";

const AGENT = fileURLToPath(new URL("plugin-agent.ts", import.meta.url));
const SOURCE = fileURLToPath(new URL("../../../bin/cni", import.meta.url));

export interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Calling {
  readonly id?: string;
  readonly netns?: string;
  readonly ifname?: string;
  readonly config?: object;
  readonly env?: Readonly<Record<string, string>>;
  /** Instead of the one that was installed. */
  readonly executable?: string;
  /** Kills it after so long. */
  readonly killAfterMs?: number;
}

export class PluginRig implements AsyncDisposable {
  readonly kernel: Kernel;
  readonly node: Netns;
  /** Netlink, nft and settings of the node. */
  readonly onNode;
  readonly dir = mkdtempSync(join(tmpdir(), "twt-plugin-"));
  readonly executable: string;
  readonly settings: PluginAgentSettings;
  readonly #name: string;
  readonly #opened = new DisposableStack();
  #agent: ChildProcess | undefined;

  constructor(name: string, settings: Partial<PluginAgentSettings> = {}) {
    this.#name = `twt-${process.pid}-${name}`;
    this.kernel = this.#opened.use(openKernel());
    this.#opened.defer(() => rmSync(this.dir, { recursive: true, force: true }));
    this.node = this.netns("node");
    this.onNode = this.#opened.use(this.kernel.openIn(this.node));
    const socketPath = join(this.dir, "cni.sock");
    this.settings = {
      socketPath,
      ipamDir: join(this.dir, "networks"),
      podCidrs: ["10.42.0.0/20", "fd42:0:0:3::/64"],
      clusterCidrs: ["10.42.0.0/16", "fd42::/56"],
      ...settings,
    };
    const folders = { binDir: join(this.dir, "bin"), confDir: join(this.dir, "net.d") };
    this.executable = installPlugin({ ...folders, socketPath }, { dir: SOURCE, node: process.execPath });
  }

  /** A sandbox's namespace, gone with the rig. */
  netns(name: string): Netns {
    const path = this.pathOf(name);
    this.#opened.defer(() => this.kernel.deleteNetns(path));
    return this.#opened.use(this.kernel.createNetns(path));
  }

  pathOf(name: string): string {
    return join(CLAIMS.netnsDir, `${this.#name}-${name}`);
  }

  /** Resolves when it answers. */
  async startAgent(): Promise<void> {
    const agent = this.kernel.inNetns(this.node, () => ({
      child: spawn(process.execPath, [AGENT, JSON.stringify(this.settings)], {
        stdio: ["ignore", "pipe", "ignore"],
      }),
    })).child;
    this.#agent = agent;
    await Promise.race([
      once(agent.stdout, "data"),
      once(agent, "exit").then(() => Promise.reject(new Error("the agent ended before it answered"))),
    ]);
  }

  async stopAgent(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    if (!agent || agent.exitCode !== null) return;
    const gone = once(agent, "exit");
    agent.kill(signal);
    await gone;
  }

  /** As a runtime calls; never throws. */
  async call(verb: string, calling: Calling = {}): Promise<Said> {
    const { id = "a", ifname = "eth0", config = {}, killAfterMs } = calling;
    const env = {
      CNI_COMMAND: verb,
      CNI_CONTAINERID: id,
      CNI_IFNAME: ifname,
      CNI_PATH: join(this.dir, "bin"),
      ...(calling.netns === undefined ? {} : { CNI_NETNS: calling.netns }),
      ...calling.env,
    };
    const { child } = this.kernel.inNetns(this.node, () => ({
      child: spawn(calling.executable ?? this.executable, { env, stdio: "pipe" }),
    }));
    const out = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const)
      child[name].setEncoding("utf8").on("data", (text: string) => {
        out[name] += text;
      });
    child.stdin.on("error", () => {});
    const closed = once(child, "close");
    const timer =
      killAfterMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterMs);
    child.stdin.end(JSON.stringify({ cniVersion: "1.1.0", name: "cbr0", type: "twill-cni", ...config }));
    const [code] = (await closed) as [number | null];
    clearTimeout(timer);
    return { code, ...out };
  }

  /** All that stands or is written down for sandboxes; empty when nothing does. */
  leftovers(): readonly string[] {
    const links = this.onNode.netlink
      .listLinks()
      .map(({ name }) => name)
      .filter((name) => name !== "lo" && name !== CLAIMS.devices.bridge);
    const table = CLAIMS.tables.hostPorts;
    const elements = (["ports", "addresses", "targets"] as const).flatMap((set) =>
      ([4, 6] as const).flatMap((family) =>
        this.onNode.nft
          .listElements({ family: "inet", table, set: `${set}${family}` })
          .map(({ key }) => `${set}${family} ${Buffer.from(key).toString("hex")}`),
      ),
    );
    const files = ["cbr0", "cbr0-hostports", "cbr0-plugged"].flatMap((folder) => {
      const path = join(this.settings.ipamDir, folder);
      return existsSync(path) ? readdirSync(path).map((name) => `${folder}/${name}`) : [];
    });
    return [...links, ...elements, ...files.filter((name) => !/\/(last_reserved_ip\.\d+|lock)$/.test(name))];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopAgent();
    this.#opened.dispose();
  }
}
