import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fabricStatus } from "#app/commands/fabric-status";
import { VXLAN, WIREGUARD } from "#fabric/model";
import { askStatus } from "#fabric/status/ask";
import type { FabricStatus, PeerStatus } from "#fabric/status/model";
import { isFine, printStatus } from "#fabric/status/print";
import { ethernet, injectFrames, ip, udp } from "./frames.ts";
import { Rig, type RigNode } from "./rig.ts";

const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
const rig = stack.use(new Rig({ label: "s", families: [4, 6] }));
const never = new AbortController().signal;
let [one, two, three]: (RigNode | undefined)[] = [];

before(async () => {
  one = await rig.addNode("one", VXLAN);
  two = await rig.addNode("two", VXLAN);
  three = await rig.addNode("three", WIREGUARD);
  await rig.converge();
});

async function statusOf(node: RigNode | undefined): Promise<FabricStatus> {
  assert.ok(node);
  return await askStatus(node.agent.statusSocket, { signal: never });
}

/** The status once `holds`. */
async function statusWhen(
  what: string,
  node: RigNode | undefined,
  holds: (status: FabricStatus) => boolean | undefined,
): Promise<FabricStatus> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const status = await statusOf(node);
    if (holds(status)) return status;
    if (Date.now() > deadline) throw new Error(`never came true: ${what}: ${printStatus(status)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function peerOf({ peers }: FabricStatus, node: string, family: 4 | 6): PeerStatus {
  const found = peers.find((peer) => peer.node === node && peer.family === family);
  assert.ok(found, `${node} ${family}`);
  return found;
}

test("every peer is told with its way, its answers and what came from it", async () => {
  assert.ok(one);
  const status = await statusWhen("all peers answer", one, (now) => now.peers.length === 4 && isFine(now));
  assert.deepEqual(
    status.peers.map(({ node, family, kind, state }) => `${node} ${family} ${kind} ${state}`),
    ["three 4 wireguard ok", "three 6 wireguard ok", "two 4 vxlan ok", "two 6 vxlan ok"],
  );
  const pods = [
    await rig.addPod(one, "a"),
    await rig.addPod(two ?? one, "b"),
    await rig.addPod(three ?? one, "c"),
  ];
  const [a, b, c] = pods;
  assert.ok(a && b && c);
  for (const to of [...b.ips.values(), ...c.ips.values()]) assert.ok(await a.program.askUdp(to));
  const now = await statusWhen("what came shows", one, ({ peers }) =>
    peers.every(
      ({ kind, received, sentBytes }) =>
        (received?.bytes ?? 0) > 0 && (kind === "wireguard" ? (sentBytes ?? 0) > 0 : sentBytes === null),
    ),
  );
  const [tunnel, session] = [peerOf(now, "two", 4), peerOf(now, "three", 6)];
  assert.deepEqual([tunnel.endpoint, tunnel.mtuBytes, tunnel.problems], [two?.machine.ips[0], 1450, []]);
  assert.equal(session.endpoint, `[${three?.machine.ips[1]}]:51821`);
  assert.ok((session.handshakeSeconds ?? 999) < 180);
  assert.ok((tunnel.answeredSeconds ?? 999) < 180 && tunnel.roundTripMs !== null);
  assert.deepEqual(now.guard.ports, [8472, 51_820, 51_821]);
  assert.deepEqual(now.devices.map(({ name }) => name).toSorted(), [
    "flannel-v6.1",
    "flannel-wg",
    "flannel-wg-v6",
    "flannel.1",
  ]);
});

test("a stranger is told of, and that something was put back", async () => {
  assert.ok(one && two);
  const stranger = rig.addMachine("stranger");
  const [source, to] = [stranger.ips[0], one.machine.ips[0]];
  const link = (machine: typeof stranger) => machine.kernel.netlink.findLink("eth0");
  const [from, at] = [link(stranger), link(one.machine)];
  assert.ok(from?.mac && at?.mac);
  const packet = ip({ source, to }, udp({ source, to, port: 8472, payload: Buffer.alloc(50) }));
  injectFrames(stranger.kernel, { ns: stranger.ns, link: from.index }, [ethernet(from.mac, at.mac, packet)]);
  const now = await statusWhen("the stranger shows", one, ({ guard }) => guard.listed.length > 0);
  assert.deepEqual(
    now.guard.listed.map(({ ip, packets, node }) => ({ ip, packets, node })),
    [{ ip: source, packets: 1, node: null }],
  );
  const { netlink } = one.machine.kernel;
  const route = netlink.listRoutes(4).find(({ to }) => to === peerOf(now, "two", 4).podCidr);
  assert.ok(route);
  netlink.deleteRoute(route);
  await statusWhen("it is put back", one, ({ rounds }) => rounds.repairs > now.rounds.repairs);
  const lines = one.agent.metrics.expose();
  assert.match(lines, /^twill_fabric_peer_up\{node="two",ip_family="IPv4"\} 1$/m);
  assert.match(lines, /^twill_fabric_guard_stranger_packets_total\{verdict="dropped"\} 1$/m);
});

test("the command prints it, and its exit code says whether all is well", async () => {
  assert.ok(one);
  const run = async (argv: readonly string[]) => {
    const out: string[] = [];
    const errors: string[] = [];
    const context = {
      env: {},
      write: (text: string) => void out.push(text),
      writeError: (text: string) => void errors.push(text),
      program: { root: "/nowhere", node: process.execPath },
      signal: never,
    };
    return { code: await fabricStatus(argv, context), out: out.join(""), errors: errors.join("") };
  };
  const { statusSocket } = one.agent;
  const table = await run(["--socket", statusSocket]);
  assert.match(table.out, /^two {5} *4 +ok +vxlan +192\.0\.2\.12 /m);
  assert.match(table.out, /^ {2}1 packet from 192\.0\.2\.14, which is no node's address/m);
  assert.equal(table.code, 0);
  const json = await run(["-o", "json", `--socket=${statusSocket}`]);
  assert.equal((JSON.parse(json.out) as FabricStatus).node, "one");
  const nobody = await run(["--socket", `${statusSocket}.none`]);
  assert.deepEqual([nobody.code, nobody.out], [3, ""]);
  assert.match(nobody.errors, /^Cannot ask at .*no Twill/);
  assert.equal((await run(["-o", "yaml", "extra"])).code, 2);
});
