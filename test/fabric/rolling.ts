/** A cluster whose nodes change their backend while all pods talk to each other. */
import assert from "node:assert/strict";
import type { Family } from "#addr/family";
import type { FabricBackend, FabricKind } from "#fabric/model";
import { type Clock, systemClock } from "#life/clock";
import { eventually } from "./machines.ts";
import { type NodeAgent, startAgent, subnetsOf } from "./node-agent.ts";
import { Rig, type RigNode, type RigPod } from "./rig.ts";
import { Traffic } from "./traffic.ts";

export const BOTH: readonly Family[] = [4, 6];

/** By which packets for other nodes' pods leave, by family. */
export const DEVICES: Readonly<Record<FabricKind, readonly [string, string]>> = {
  vxlan: ["flannel.1", "flannel-v6.1"],
  "host-gw": ["eth0", "eth0"],
  wireguard: ["flannel-wg", "flannel-wg-v6"],
};

/** What waits does so for so much less; no time has passed that is not let pass. */
const HURRY = 20;

export interface RollingNode extends RigNode {
  readonly pod: RigPod & { readonly netns: string };
}

export class RollingCluster implements AsyncDisposable {
  readonly rig: Rig;
  readonly nodes: RollingNode[] = [];
  readonly #agents = new Map<RollingNode, NodeAgent>();
  /** Ahead of the time that has really passed, in milliseconds. */
  #aheadMs = 0;
  /** However slow the machine is, what lingers stays until time is let pass: only then may it go. */
  readonly #clock: Clock = {
    now: () => Date.now() + this.#aheadMs,
    sleep: (ms, options) => systemClock.sleep(ms / HURRY, options),
  };

  constructor(label: string) {
    this.rig = new Rig({ label, families: BOTH });
  }

  /** A node that filters reverse paths as strictly as can be, with a pod. */
  async add(name: string, backend: FabricBackend): Promise<RollingNode> {
    const machine = this.rig.addMachine(name);
    for (const device of ["all", "default", "eth0"])
      machine.kernel.sysctl.write(`net/ipv4/conf/${device}/rp_filter`, 1);
    const node = await this.rig.addNode(name, backend, machine);
    const pod = await this.rig.addPod(node, `pod-${name}`);
    const netns = `${machine.path.slice(0, -name.length)}${pod.name}`;
    const whole = { ...node, pod: { ...pod, netns } };
    this.nodes.push(whole);
    return whole;
  }

  /** Another life of the node. */
  async restart(node: RollingNode, backend: FabricBackend): Promise<void> {
    await this.stop(node);
    const clock = this.#clock;
    this.#agents.set(node, await startAgent(node.machine, this.rig.client, { backend, clock }));
  }

  /** For those that have been restarted. */
  letPass(ms: number): void {
    this.#aheadMs += ms;
  }

  async stop(node: RollingNode): Promise<void> {
    await (this.#agents.get(node) ?? node.agent)[Symbol.asyncDispose]();
    this.#agents.delete(node);
  }

  /** Resolves once these nodes send to each other by the kind's devices, in both families and directions. */
  async settled(kind: FabricKind, nodes: readonly RollingNode[] = this.nodes): Promise<void> {
    for (const from of nodes)
      for (const to of nodes)
        if (from !== to)
          await eventually(
            `${from.machine.name} sends to ${to.machine.name} by ${kind}`,
            () => waysTo(from, to.number).join() === DEVICES[kind].join(),
          );
  }

  talk(): Promise<Traffic> {
    return Traffic.start(
      this.nodes.map(({ pod }) => pod),
      { everyMs: 8 },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.#agents.values()) await agent[Symbol.asyncDispose]();
    await this.rig[Symbol.asyncDispose]();
  }
}

/** The device by which a node sends to another one's pods, by family. */
export function waysTo({ machine }: RigNode, number: number): readonly (string | undefined)[] {
  const { netlink } = machine.kernel;
  return BOTH.map((family, i) => {
    const subnet = subnetsOf(number)[i];
    const route = netlink.listRoutes(family).find((each) => each.to === subnet);
    return netlink.listLinks().find(({ index }) => index === route?.link)?.name;
  });
}

/** Every packet was answered, and every stream arrived whole. */
export async function assertNothingLost(traffic: Traffic, flows: number): Promise<void> {
  const { flows: reports, overflown } = await traffic.stop();
  assert.equal(reports.length, flows);
  for (const { from, to, sent, isStreamWhole } of reports) {
    assert.ok(sent > 50, `${sent} packets from ${from} to ${to} make no test`);
    assert.ok(isStreamWhole, `the stream from ${from} to ${to} was broken`);
  }
  const losses = reports.filter(({ lost }) => lost.length > 0);
  const lost = losses.reduce((sum, each) => sum + each.lost.length, 0);
  // On a machine that is too busy pods lose what has reached them.
  if (lost > overflown) assert.deepEqual(losses, []);
}
