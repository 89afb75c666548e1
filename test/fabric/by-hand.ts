/** Nodes as one would type them: nothing but `ip`, `bridge` and `wg`. They know none of our code, and so show what it does. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { addressOf, type Cidr, cidrFamily, nthIp, prefixLength } from "#addr/cidr";
import type { Family } from "#addr/family";
import type { Ip } from "#addr/ip";
import { eventually, type Machine, type Machines } from "./machines.ts";

/** Runs a program in a namespace that is mounted at `path`; returns what it prints. */
export function runIn(path: string, command: string, ...args: readonly string[]): string {
  return execFileSync("ip", ["netns", "exec", basename(path), command, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** The same, with words between spaces. */
export function typeIn(path: string, line: string): string {
  const [command = "", ...args] = line.split(" ");
  return runIn(path, command, ...args);
}

/** A bridge, a pod's namespace on it with the second address of each subnet, and forwarding. */
export function wirePod(
  machine: Machine,
  pod: { readonly path: string; readonly subnets: readonly Cidr[]; readonly mtuBytes: number },
): ReadonlyMap<Family, Ip> {
  const on = (line: string) => typeIn(machine.path, line);
  const inside = (line: string) => typeIn(pod.path, line);
  const mtu = `mtu ${pod.mtuBytes}`;
  machine.kernel.sysctl.write("net/ipv4/conf/all/forwarding", 1);
  machine.kernel.sysctl.write("net/ipv6/conf/all/forwarding", 1);
  // As on links that have been up for a while: nobody waits for the first second of IPv6.
  for (const type of [on, inside]) type("sysctl -qw net.ipv6.conf.default.accept_dad=0");
  on(`ip link add cni0 ${mtu} type bridge`);
  on("ip link set cni0 up");
  on(`ip link add pod ${mtu} type veth peer name eth0 netns ${basename(pod.path)} ${mtu}`);
  on("ip link set pod up master cni0");
  inside("ip link set eth0 up");
  const ips = new Map<Family, Ip>();
  for (const subnet of pod.subnets) {
    const [gateway, ip, length] = [nthIp(subnet, 1), nthIp(subnet, 2), prefixLength(subnet)];
    const noDad = cidrFamily(subnet) === 6 ? " nodad" : "";
    on(`ip addr add ${gateway}/${length} dev cni0${noDad}`);
    inside(`ip addr add ${ip}/${length} dev eth0${noDad}`);
    inside(`ip route add default via ${gateway}`);
    ips.set(cidrFamily(subnet), ip);
  }
  return ips;
}

export interface VxlanByHand {
  readonly name: string;
  readonly local: Ip;
  readonly mac: string;
  readonly subnet: Cidr;
}

export function addVxlan({ path }: Machine, { name, local, mac, subnet }: VxlanByHand): void {
  typeIn(
    path,
    `ip link add ${name} address ${mac} type vxlan id 1 dev eth0 local ${local} dstport 8472 nolearning`,
  );
  typeIn(path, `ip link set ${name} up`);
  typeIn(path, `ip addr add ${addressOf(subnet)}/${cidrFamily(subnet) === 4 ? 32 : 128} dev ${name}`);
}

export function addVxlanPeer({ path }: Machine, { name, local, mac, subnet }: VxlanByHand): void {
  const gateway = addressOf(subnet);
  typeIn(path, `ip neigh replace ${gateway} lladdr ${mac} dev ${name} nud permanent`);
  typeIn(path, `bridge fdb replace ${mac} dev ${name} dst ${local} self permanent`);
  typeIn(path, `ip route replace ${subnet} via ${gateway} dev ${name} onlink`);
}

export interface WireguardByHand {
  readonly name: string;
  readonly port: number;
  readonly privateKeyFile: string;
  readonly mtuBytes: number;
  readonly subnet: Cidr;
}

/** A device of wireguard-go, with its control socket out of sight of all others'. */
export class Wireguard implements AsyncDisposable {
  readonly #path: string;
  readonly #name: string;
  readonly #process: ReturnType<typeof spawn>;

  private constructor(path: string, name: string, process: ReturnType<typeof spawn>) {
    this.#path = path;
    this.#name = name;
    this.#process = process;
  }

  static async add({ path }: Machine, device: WireguardByHand): Promise<Wireguard> {
    const { name, port, privateKeyFile, mtuBytes, subnet } = device;
    const script = `mkdir -p /run/wireguard && mount -t tmpfs tmpfs /run/wireguard && exec wireguard-go -f ${name}`;
    const args = ["netns", "exec", basename(path), "unshare", "-m", "sh", "-c", script];
    // In a session of its own, as ours: the scheduler shares processors out by session.
    const program = spawn("ip", args, { stdio: "ignore", detached: true });
    const made = new Wireguard(path, name, program);
    await eventually(`wireguard-go serves ${name}`, () =>
      existsSync(`/proc/${program.pid}/root/run/wireguard/${name}.sock`),
    );
    made.set(`listen-port ${port} private-key ${privateKeyFile}`);
    typeIn(path, `ip link set ${name} mtu ${mtuBytes} up`);
    typeIn(path, `ip addr add ${addressOf(subnet)}/${cidrFamily(subnet) === 4 ? 32 : 128} dev ${name}`);
    return made;
  }

  addPeer(peer: { readonly publicKey: string; readonly endpoint: string; readonly subnet: Cidr }): void {
    const { publicKey, endpoint, subnet } = peer;
    this.set(`peer ${publicKey} endpoint ${endpoint} persistent-keepalive 25 allowed-ips ${subnet}`);
    typeIn(this.#path, `ip route replace ${subnet} dev ${this.#name}`);
  }

  /** `wg set DEVICE ...`. */
  set(words: string): void {
    const args = ["-t", String(this.#process.pid), "-m", "-n", "wg", "set", this.#name, ...words.split(" ")];
    execFileSync("nsenter", args, { stdio: ["ignore", "ignore", "inherit"] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await gone;
  }
}

/** A machine's second name space, for a pod of it. */
export function podNetns(machines: Machines, machine: Machine): string {
  return machines.netns(`${machine.name}-pod`).path;
}
