import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseIpPrefix } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { openFakeKernel } from "#kernel/fake/kernel";
import { FakeSockets } from "#kernel/fake/sockets";
import type { WaitingSocket } from "#kernel/waiting-socket";
import type { EndpointSlice, Node, Service } from "#kube/generated/types";
import { HandClock } from "#life/testing/hand-clock";
import { silentLog } from "#telemetry/log";
import type { Place } from "./model.ts";
import { ownPorts, sharedAddress } from "./own-ports.ts";
import { watchPortHolders } from "./port-holders.ts";
import type { ServiceProblem } from "./problems.ts";
import { TEST_CONFIG } from "./testing/config.ts";
import { MemoryInformer } from "./testing/memory-informer.ts";
import { nodeObject, serviceObject, sliceObject } from "./testing/objects.ts";

const place: Place = {
  nodeName: "here",
  zone: undefined,
  localIps: [parseIp("192.0.2.1"), parseIp("10.42.0.1"), parseIp("2001:db8::1")],
  nodeIps: [parseIp("192.0.2.1")],
  nodePortIps: [parseIp("192.0.2.1"), parseIp("2001:db8::1")],
  loopbackIps: [parseIp("127.0.0.1")],
};

function socket(text: string, more: Partial<WaitingSocket> = {}): WaitingSocket {
  const [protocol = "", ip = "", port = ""] = text.split(" ");
  return {
    protocol: protocol === "udp" ? "udp" : "tcp",
    ip: parseIp(ip),
    family: ip.includes(":") ? 6 : 4,
    port: Number(port),
    isDual: false,
    interface: 0,
    inode: 7,
    ...more,
  };
}

describe("a socket and a service share an address", () => {
  const nodePort = { service: "a/b", protocol: "tcp", port: 30080, at: { kind: "node-port" } } as const;
  const external = (ip: string) => ({ ...nodePort, at: { kind: "addresses", ips: [parseIp(ip)] } }) as const;
  for (const [name, port, at, want] of [
    ["at every address", nodePort, socket("tcp 0.0.0.0 1"), "192.0.2.1"],
    ["at every address of IPv6", nodePort, socket("tcp :: 1"), "2001:db8::1"],
    ["at every address of both", nodePort, socket("tcp :: 1", { isDual: true }), "192.0.2.1"],
    ["at one of them", nodePort, socket("tcp 2001:db8::1 1"), "2001:db8::1"],
    ["at one that answers on no node port", nodePort, socket("tcp 10.42.0.1 1"), undefined],
    ["on loopback", nodePort, socket("tcp 127.0.0.1 1"), "127.0.0.1"],
    ["at an external address of this node's", external("10.42.0.1"), socket("tcp 0.0.0.0 1"), "10.42.0.1"],
    ["at one of another's", external("198.51.100.1"), socket("tcp 0.0.0.0 1"), undefined],
  ] as const)
    test(name, () => assert.equal(sharedAddress(port, at, place), want));

  test("not on loopback where node ports are not", () =>
    assert.equal(
      sharedAddress(nodePort, socket("tcp 127.0.0.1 1"), { ...place, loopbackIps: [] }),
      undefined,
    ));
});

test("ports of a service that a node may have", () => {
  const web = serviceObject({
    type: "LoadBalancer",
    externalIPs: ["192.0.2.1"],
    ingress: [{ ip: "192.0.2.2" }, { ip: "192.0.2.3", ipMode: "Proxy" }, { hostname: "lb.example" }],
    ports: [
      { port: 80, nodePort: 30080 },
      { port: 53, protocol: "UDP" },
    ],
  });
  assert.deepEqual(
    ownPorts(web).map(({ protocol, port, at }) => [protocol, port, "ips" in at ? at.ips.join() : at.kind]),
    [
      ["tcp", 30080, "node-port"],
      ["tcp", 80, "192.0.2.1,192.0.2.2"],
      ["udp", 53, "192.0.2.1,192.0.2.2"],
    ],
  );
  for (const other of [{ type: "ExternalName" }, { clusterIP: "None" }] as const)
    assert.deepEqual(ownPorts(serviceObject({ ...other, ports: [{ port: 80, nodePort: 30080 }] })), []);
});

test("a process in the way is told by name until it is gone, and an endpoint at its own port is not in the way", async () => {
  const kernel = openFakeKernel();
  const { index } = kernel.netlink.addLink({ kind: "bridge", name: "eth0", isUp: true });
  kernel.netlink.addAddress(index, parseIpPrefix("192.0.2.1/24"));
  const services = new MemoryInformer<Service>();
  const endpointSlices = new MemoryInformer<EndpointSlice>();
  const nodes = new MemoryInformer<Node>();
  const clock = new HandClock();
  const end = new AbortController();
  let told: readonly ServiceProblem[] = [];
  const watched = watchPortHolders({
    kernel,
    services,
    endpointSlices,
    nodes,
    nodeName: "here",
    config: TEST_CONFIG,
    onProblems: (problems) => {
      told = problems;
    },
    clock,
    log: silentLog,
    signal: end.signal,
  });
  assert.ok(kernel.sockets instanceof FakeSockets);
  kernel.sockets.wait(socket("tcp 0.0.0.0 30080", { inode: 1 }), { pid: 12, name: "nginx" });
  kernel.sockets.wait(socket("tcp 0.0.0.0 30080", { inode: 2 }), { pid: 13, name: "nginx" });
  kernel.sockets.wait(socket("udp 0.0.0.0 30080", { inode: 3 }), { pid: 14, name: "other" });
  nodes.put(nodeObject({ name: "here", internalIps: ["192.0.2.1"] }));
  services.put(serviceObject({ type: "NodePort", ports: [{ port: 80, nodePort: 30080 }] }));
  services.put(serviceObject({ name: "hosted", externalIPs: ["192.0.2.1"], ports: [{ port: 30080 }] }));
  endpointSlices.put(
    sliceObject({
      service: "hosted",
      ports: [{ name: "", port: 30080, protocol: "TCP" }],
      endpoints: [{ ip: "192.0.2.1" }],
    }),
  );
  await clock.pass(1000);
  assert.deepEqual(told, [
    {
      service: "default/web",
      reason: "PortInUse",
      message:
        "process nginx (pid 12) listens at 0.0.0.0:30080 of node here (tcp): what arrives there goes to the service, not to it",
    },
  ]);
  kernel.sockets.close(1);
  await clock.pass(30_000);
  assert.match(told[0]?.message ?? "", /pid 13/);
  kernel.sockets.close(2);
  await clock.pass(31_000);
  assert.deepEqual(told, []);
  end.abort();
  await watched;
});
