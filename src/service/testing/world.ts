/** A node with pods and a client outside, as network namespaces, for tests as root. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Family } from "#addr/family";
import { type Ip, parseIp } from "#addr/ip";
import type { Fault } from "#fault/fault";
import type { NetKernel } from "#kernel/kernel";
import { openKernel } from "#kernel/open";
import type { EndpointSlice, Node, Service } from "#kube/generated/types";
import { systemClock } from "#life/clock";
import { silentLog } from "#telemetry/log";
import type { ServiceConfig } from "../model.ts";
import type { ServiceProblem } from "../problems.ts";
import { runServiceProxy } from "../run.ts";
import type { Command, Reply } from "./agent.ts";
import { TEST_CONFIG } from "./config.ts";
import { MemoryInformer } from "./memory-informer.ts";
import { nodeObject, translate } from "./objects.ts";

const AGENT = new URL("./agent.ts", import.meta.url).pathname;

/** Who lives where, in IPv4; IPv6 addresses are translations. Pod c counts as another node's. */
const HOSTS = { client: "192.168.9.2", a: "10.42.0.2", b: "10.42.0.3", c: "10.42.1.2" } as const;
export type Host = keyof typeof HOSTS | "node";
export const NODE_IP = "192.168.9.1";

export class World implements AsyncDisposable {
  readonly #prefix = `twt-${process.pid}`;
  readonly #agents = new Map<Host, Agent>();
  readonly #kernel = openKernel();
  readonly net: NetKernel;

  private constructor() {
    const all: Host[] = ["node", ...(Object.keys(HOSTS) as Host[])];
    for (const host of all) ip("netns", "add", this.ns(host));
    for (const host of all) ip("-n", this.ns(host), "link", "set", "lo", "up");
    for (const name of ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"])
      ip("netns", "exec", this.ns("node"), "sysctl", "-qw", `${name}=1`);
    for (const [host, address] of Object.entries(HOSTS)) this.#wire(host as keyof typeof HOSTS, address);
    using ns = this.#kernel.openNetns(`/run/netns/${this.ns("node")}`);
    this.net = this.#kernel.openIn(ns);
  }

  static async open(): Promise<World> {
    const world = new World();
    const hosts: Host[] = ["node", "client", "a", "b", "c"];
    for (const host of hosts) world.#agents.set(host, new Agent(world.ns(host)));
    await Promise.all(
      hosts.map((host) => world.tell(host, { do: "serve", name: host, port: host === "node" ? 9090 : 8080 })),
    );
    return world;
  }

  ns(host: Host): string {
    return `${this.#prefix}-${host}`;
  }

  async tell(host: Host, command: Command): Promise<Reply> {
    const agent = this.#agents.get(host);
    if (!agent) throw new Error(`no host ${host}`);
    return agent.tell(command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.#agents.values()) await agent.stop();
    this.net[Symbol.dispose]();
    this.#kernel[Symbol.dispose]();
    for (const host of ["node", ...Object.keys(HOSTS)]) ip("netns", "del", this.ns(host as Host));
  }

  /** Routed cables: each host has one address, and the node is the way to all others. */
  #wire(host: keyof typeof HOSTS, address: string): void {
    const [node, there] = [this.ns("node"), this.ns(host)];
    ip("-n", node, "link", "add", `to-${host}`, "type", "veth", "peer", "name", "eth0", "netns", there);
    ip("-n", node, "link", "set", `to-${host}`, "up");
    ip("-n", there, "link", "set", "eth0", "up");
    for (const family of [4, 6] as const) {
      const bits = family === 4 ? 32 : 128;
      const [flag, way] = [`-${family}`, translate(host === "client" ? NODE_IP : "10.42.0.1", family)];
      const own = translate(address, family);
      const dad = family === 6 ? ["nodad"] : [];
      ip("-n", node, flag, "addr", "replace", `${way}/${bits}`, "dev", `to-${host}`, ...dad);
      ip("-n", there, flag, "addr", "add", `${own}/${bits}`, "dev", "eth0", ...dad);
      ip("-n", node, flag, "route", "replace", `${own}/${bits}`, "dev", `to-${host}`);
      ip("-n", there, flag, "route", "add", `${way}/${bits}`, "dev", "eth0");
      ip("-n", there, flag, "route", "add", "default", "via", way);
      if (host === "client") ip("-n", node, flag, "route", "add", "default", "via", own);
    }
  }
}

/** The proxy, run on the world's node with objects put by hand. */
export class TestProxy implements AsyncDisposable {
  readonly services = new MemoryInformer<Service>();
  readonly slices = new MemoryInformer<EndpointSlice>();
  readonly nodes = new MemoryInformer<Node>();
  readonly faults: Fault[] = [];
  problems: readonly ServiceProblem[] = [];
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  #round = Promise.withResolvers<{ ops: number }>();

  constructor(world: World, config: ServiceConfig = TEST_CONFIG) {
    this.nodes.put(nodeObject({ internalIps: [nodeIp(4), nodeIp(6)] }));
    this.#running = runServiceProxy({
      kernel: world.net,
      services: this.services,
      endpointSlices: this.slices,
      nodes: this.nodes,
      nodeName: "here",
      onProblems: (problems) => {
        this.problems = problems;
      },
      config,
      clock: systemClock,
      log: silentLog,
      signal: this.#ending.signal,
      onRound: ({ ops, faults, hasMore }) => {
        this.faults.push(...faults);
        if (hasMore) return;
        const round = this.#round;
        this.#round = Promise.withResolvers();
        round.resolve({ ops });
      },
    });
  }

  /** Makes changes and waits for the round that carries them out. */
  async change(f: () => void): Promise<{ ops: number }> {
    const { promise } = this.#round;
    f();
    return promise;
  }

  start(): Promise<{ ops: number }> {
    return this.change(() => {
      this.services.sync();
      this.slices.sync();
      this.nodes.sync();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }
}

export function nodeIp(family: Family): Ip {
  return parseIp(translate(NODE_IP, family));
}

class Agent {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #id = 0;

  constructor(ns: string) {
    this.#child = spawn("ip", ["netns", "exec", ns, process.execPath, AGENT], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    if (!this.#child.stdout) throw new Error("no pipe");
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const { id, reply } = JSON.parse(line) as { id: number; reply: Reply };
      this.#waiting.get(id)?.(reply);
    });
  }

  tell(command: Command): Promise<Reply> {
    const id = ++this.#id;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.stdin?.write(`${JSON.stringify({ id, command })}\n`);
    });
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.stdin?.end();
    await closed;
  }
}

function ip(...argv: readonly string[]): void {
  execFileSync("ip", argv, { stdio: ["ignore", "ignore", "inherit"] });
}
