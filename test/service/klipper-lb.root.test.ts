/** The image that a ServiceLB pod runs, by itself: its environment in, packets through. Three containers share one pod, as K3s makes
 *  them, and the machines on the cable play the node's outside and the service. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildImages } from "#node/runtime/process/images/build";
import { eventually, type Machine, Machines } from "../fabric/machines.ts";
import { Pod } from "../fabric/pod.ts";

const machines = new Machines();
const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
stack.use(machines);
const images = mkdtempSync(join(tmpdir(), "twt-klipper-lb-"));
stack.defer(() => rmSync(images, { recursive: true, force: true }));

const [pod, other, service, friend, stranger] = ["pod", "other", "service", "friend", "stranger"].map(
  (name) => machines.add(name),
) as [Machine, Machine, Machine, Machine, Machine];
const asks = new Map<Machine, Pod>();
const ask = (machine: Machine) => {
  const found = asks.get(machine);
  assert.ok(found);
  return found;
};

/** Those that run, by protocol and port. */
const containers = new Map<string, ChildProcess>();

/** Starts the image in the pod. @returns what it said once it waits, or after it ended with 1 */
async function start(name: string, env: Readonly<Record<string, string>>): Promise<string> {
  const [protocol = "", port = ""] = name.split(" ");
  const child = spawn("nsenter", [`--net=${pod.path}`, process.execPath, join(images, "klipper-lb.mjs")], {
    env: { PATH: process.env["PATH"], DEST_PROTO: protocol.toUpperCase(), SRC_PORT: port, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  stack.defer(() => void child.kill("SIGKILL"));
  containers.set(name, child);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (said += String(data)));
  await eventually(`${name} waits`, () => {
    if (child.exitCode !== null) return true;
    return readFileSync(`/proc/${child.pid}/cmdline`, "latin1") === `klipper-lb\0${protocol}\0${port}\0`;
  });
  assert.equal(child.exitCode, null, said);
  await eventually(`${name} has spoken`, () => said !== "");
  return said;
}

async function stop(name: string): Promise<void> {
  const child = containers.get(name);
  assert.ok(child);
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
}

before(async () => {
  await buildImages(images);
  for (const machine of [service, other, friend, stranger])
    asks.set(machine, stack.use(await Pod.start(machine.path)));
  pod.kernel.sysctl.write("net.ipv4.ip_forward", 1);
  pod.kernel.sysctl.write("net.ipv6.conf.all.forwarding", 1);
});

test("each container leads its port to the service, with the pod's address, and disturbs no other", async () => {
  const everybody = { SRC_RANGES: "0.0.0.0/0,::/0", DEST_IPS: service.ips.join(","), DEST_PORT: "7" };
  const said = await start("tcp 80", everybody);
  assert.match(said, /^tcp port 80 leads to 192\.0\.2\.\d+:7, for 0\.0\.0\.0\/0, ::\/0$/m);
  await start("udp 80", everybody);
  await start("tcp 81", { ...everybody, SRC_RANGES: friend.ips.join(",") });
  for (const [i, to] of pod.ips.entries()) {
    assert.equal(await ask(friend).askTcp(to, 80), pod.ips[i]);
    assert.equal(await ask(friend).askUdp(to, { port: 80 }), pod.ips[i]);
  }
});

test("a source outside the ranges hears nothing, and those of another container's port are no help", async () => {
  await Promise.all(
    pod.ips.map(async (to, i) => {
      assert.equal(await ask(friend).askTcp(to, 81), pod.ips[i]);
      assert.equal(await ask(stranger).askTcp(to, 80), pod.ips[i]);
      assert.equal(await ask(stranger).askTcp(to, 81), undefined);
    }),
  );
});

test("a container that comes again replaces what it had; of several addresses of a family the last one is asked", async () => {
  await stop("tcp 80");
  const twice = [service, other].flatMap(({ ips }) => ips).join(" ");
  await start("tcp 80", { SRC_RANGES: "0.0.0.0/0", DEST_IPS: twice, DEST_PORT: "7" });
  const listing = pod.kernel.nft.list("list ruleset");
  assert.equal(listing.match(/^table inet klipper-lb-/gm)?.length, 3);
  assert.equal(listing.match(/tcp dport 80 dnat ip to/g)?.length, 1);
  const [to, toV6] = pod.ips;
  assert.equal(await ask(service).askTcp(to, 80), to, "not to itself, and so answered");
  assert.match(listing, new RegExp(`dnat ip to ${other.ips[0].replaceAll(".", "\\.")}:7`));
  assert.equal(await ask(friend).askTcp(toV6, 80), undefined, "no range lets IPv6 in");
  assert.equal(
    await ask(friend).askUdp(to, { port: 80 }),
    to,
    "the other port's container has noticed nothing",
  );
});

test("a family that the pod does not forward is left out, and said so", async () => {
  await stop("tcp 81");
  pod.kernel.sysctl.write("net.ipv6.conf.all.forwarding", 0);
  const env = { SRC_RANGES: "0.0.0.0/0,::/0", DEST_IPS: service.ips.join(","), DEST_PORT: "7" };
  assert.match(
    await start("tcp 81", env),
    /^nothing leads to 2001:\S+: net\.ipv6\.conf\.all\.forwarding is not 1/m,
  );
  assert.doesNotMatch(pod.kernel.nft.list("list table inet klipper-lb-tcp-81"), /dnat ip6|ip6 daddr/);
  assert.equal(await ask(friend).askTcp(pod.ips[0], 81), pod.ips[0]);
});

test("what cannot be used is told by name; what waits takes up next to nothing", async () => {
  const refused = spawnSync(
    "nsenter",
    [`--net=${pod.path}`, process.execPath, join(images, "klipper-lb.mjs")],
    {
      env: { DEST_PROTO: "TCP", SRC_PORT: "99999", SRC_RANGES: "::/0", DEST_PORT: "1", DEST_IPS: "::2" },
      encoding: "utf8",
    },
  );
  assert.equal(refused.status, 1);
  assert.match(
    refused.stderr,
    /^klipper-lb: Cannot use SRC_PORT="99999": expected a port from 1 to 65535\n$/,
  );
  for (const name of ["tcp 80", "udp 80", "tcp 81"]) {
    const status = readFileSync(`/proc/${containers.get(name)?.pid}/status`, "utf8");
    const resident = Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1]);
    assert.ok(resident < 1024, `${name}: ${resident} kB`);
    await stop(name);
  }
});
