/** Every backend, in every choice of families, on every kind of path: TCP, UDP, packets that just fit, that do not, and that are
 *  far too big. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Family } from "#addr/family";
import type { Ip } from "#addr/ip";
import { type FabricBackend, HOST_GW, VXLAN, WIREGUARD } from "#fabric/model";
import { subnetsOf } from "./node-agent.ts";
import { Rig, type RigPod } from "./rig.ts";

interface Row {
  readonly backend: FabricBackend;
  /** What pods' packets may measure on a cable of 1500 bytes, by the tunnel's own family. */
  readonly fits: { readonly 4: number; readonly 6: number };
  /** Whether a node talks to other nodes' pods from its own subnet's first address, which tunnels carry, or from its own. */
  readonly nodeSpeaksAs: "tunnel" | "node";
}

const ROWS: readonly Row[] = [
  { backend: VXLAN, fits: { 4: 1450, 6: 1430 }, nodeSpeaksAs: "tunnel" },
  { backend: HOST_GW, fits: { 4: 1500, 6: 1500 }, nodeSpeaksAs: "node" },
  { backend: WIREGUARD, fits: { 4: 1420, 6: 1420 }, nodeSpeaksAs: "tunnel" },
];
const CHOICES: readonly (readonly Family[])[] = [[4], [4, 6], [6]];
/** The headers of IP and UDP. */
const HEADERS_BYTES = { 4: 20 + 8, 6: 40 + 8 } as const;
const MEGABYTE = 1_000_000;
const LEARNING_MS = 20;
const FRAGMENTED_BYTES = 8_000;

for (const row of ROWS)
  for (const families of CHOICES)
    describe(`${row.backend.kind}, IPv${families.join(" and IPv")}`, () => testPaths(row, families));

function testPaths(row: Row, families: readonly Family[]): void {
  const rig = new Rig({ label: `${row.backend.kind.slice(0, 2)}${families.join("")}`, families });
  after(() => rig[Symbol.asyncDispose]());
  let pods: { readonly a: RigPod; readonly sibling: RigPod; readonly b: RigPod };
  let machines: { readonly one: RigPod; readonly two: RigPod; readonly outside: RigPod };
  let mtuBytes = 0;

  before(async () => {
    const [one, two] = [await rig.addNode("one", row.backend), await rig.addNode("two", row.backend)];
    await rig.converge();
    mtuBytes = one.agent.ready.mtuBytes;
    const [a, sibling, b, first, second, outside] = await Promise.all([
      rig.addPod(one, "a"),
      rig.addPod(one, "sibling"),
      rig.addPod(two, "b"),
      rig.addProgram(one.machine),
      rig.addProgram(two.machine),
      rig.addProgram(rig.addMachine("outside")),
    ]);
    pods = { a, sibling, b };
    machines = { one: first, two: second, outside };
  });

  async function check(from: RigPod, to: RigPod, seenAs: (family: Family) => Ip | undefined): Promise<void> {
    for (const family of families)
      await checkPath(from, { address: to.ips.get(family) ?? "", family, mtuBytes }, seenAs(family));
  }

  test("pods get the MTU that fits through the smallest tunnel", () => {
    assert.equal(mtuBytes, Math.min(...families.map((family) => row.fits[family])));
  });

  test("a pod to its neighbour on the node", () =>
    check(pods.a, pods.sibling, (family) => pods.a.ips.get(family)));

  test("a pod to a pod of the other node, and back", async () => {
    await check(pods.a, pods.b, (family) => pods.a.ips.get(family));
    await check(pods.b, pods.a, (family) => pods.b.ips.get(family));
  });

  test("a node to a pod of its own, and to one of the other node", async () => {
    const base = (number: number, family: Family) => subnetsOf(number, [family])[0]?.split("/")[0] ?? "";
    const gateway = (family: Family) => base(0, family).replace(/(\.0|::)$/, family === 4 ? ".1" : "::1");
    await check(machines.one, pods.a, (family) => gateway(family) as Ip);
    await check(machines.one, pods.b, (family) =>
      row.nodeSpeaksAs === "node" ? machines.one.ips.get(family) : (base(0, family) as Ip),
    );
  });

  test("a pod to its own node", () => check(pods.a, machines.one, (family) => pods.a.ips.get(family)));

  test("a pod to a machine outside, which sees its node", () =>
    check(pods.a, machines.outside, (family) => machines.one.ips.get(family)));

  // Last: when the other node hears that its answers are too big for the pod, which it knows by its node's address, it takes that
  // for the path to the node, and so for the tunnel's own packets.
  test("a pod to the other node, which sees its node", () =>
    check(pods.a, machines.two, (family) => machines.one.ips.get(family)));
}

interface Target {
  readonly address: string;
  readonly family: Family;
  /** The biggest packet on the path. */
  readonly mtuBytes: number;
}

async function checkPath(from: RigPod, { address, family, mtuBytes }: Target, seenAs: Ip | undefined) {
  const { program } = from;
  const fits = mtuBytes - HEADERS_BYTES[family];
  // Who has more room on his own link, as machines have, hears with his first packet that it is too big, and that one is lost.
  await program.askUdp(address, { bytes: fits + 1, patienceMs: LEARNING_MS });
  const [tcp, ...udp] = await Promise.all([
    program.askTcp(address),
    ...[1, fits, fits + 1, FRAGMENTED_BYTES].map((bytes) => program.askUdp(address, { bytes })),
  ]);
  const arrived = await program.sendTcp(address, MEGABYTE);
  assert.deepEqual(
    { tcp, udp, arrived },
    { tcp: seenAs, udp: [seenAs, seenAs, seenAs, seenAs], arrived: true },
    `${from.name} to ${address}: one byte, ${fits}, ${fits + 1} and ${FRAGMENTED_BYTES} bytes by UDP`,
  );
}
