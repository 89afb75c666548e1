import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { readlink } from "node:fs/promises";
import { after, describe, test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { decodeRoute, encodeRouteQuery, RTM_GETROUTE } from "#wire/rtnetlink-route";
import { kernelContract } from "../../test/contract/kernel.contract.ts";
import { probeContract } from "../../test/contract/probe.contract.ts";
import { CLAIMS } from "./claims.ts";
import { openFds } from "./fd.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink-socket.ts";
import { openKernel } from "./open.ts";

let worlds = 0;

/** A kernel whose namespaces have names of their own and are gone when it is disposed. */
function openWorld() {
  const kernel = openKernel();
  const prefix = `${CLAIMS.netnsDir}/twt-${process.pid}-${worlds++}`;
  const paths = new Set<string>();
  return {
    kernel,
    path(name: string) {
      paths.add(`${prefix}${name}`);
      return `${prefix}${name}`;
    },
    [Symbol.dispose]() {
      for (const path of paths) kernel.deleteNetns(path);
      kernel[Symbol.dispose]();
    },
  };
}

describe("the real kernel does what every kernel does", () => {
  kernelContract(openWorld);
  probeContract(openWorld);
});

describe("network namespaces of the real kernel", () => {
  const own = () => readlinkSync("/proc/thread-self/ns/net");

  test("this thread is where it was after making, guarding and failing inside", () => {
    using world = openWorld();
    const home = own();
    using ns = world.kernel.createNetns(world.path("a"));
    assert.equal(own(), home);
    const inside = world.kernel.inNetns(ns, own);
    assert.notEqual(inside, home);
    assert.throws(() => world.kernel.inNetns(ns, () => assert.fail("inside")));
    assert.equal(own(), home);
  });

  test("guards nest", () => {
    using world = openWorld();
    using a = world.kernel.createNetns(world.path("a"));
    using b = world.kernel.createNetns(world.path("b"));
    const [first, inner, again] = world.kernel.inNetns(a, () => [own(), world.kernel.inNetns(b, own), own()]);
    assert.equal(first, again);
    assert.notEqual(first, inner);
  });

  test("a handle made inside a guard still reaches its own namespace", () => {
    using world = openWorld();
    using a = world.kernel.createNetns(world.path("a"));
    using b = world.kernel.createNetns(world.path("b"));
    using inA = world.kernel.openIn(a);
    world.kernel.inNetns(b, () => void inA.netlink.addLink({ kind: "bridge", name: "cni0" }));
    using inB = world.kernel.openIn(b);
    assert.ok(inA.netlink.findLink("cni0"));
    assert.equal(inB.netlink.findLink("cni0"), undefined);
  });

  test("dumps larger than one datagram are whole", () => {
    using world = openWorld();
    using ns = world.kernel.createNetns(world.path("a"));
    using here = world.kernel.openIn(ns);
    const { index: link } = here.netlink.addLink({ kind: "bridge", name: "cni0", isUp: true });
    const wanted = Array.from({ length: 3000 }, (_, n) => parseCidr(`10.${100 + (n >> 8)}.${n & 255}.0/24`));
    for (const to of wanted) here.netlink.replaceRoute({ to, link });
    const seen = here.netlink.listRoutes(4).map(({ to }) => to);
    assert.deepEqual(seen.toSorted(), wanted.toSorted());
  });

  test("a listing that is given up leaves the next one whole", () => {
    using world = openWorld();
    using ns = world.kernel.createNetns(world.path("a"));
    using here = world.kernel.openIn(ns);
    const { index: link } = here.netlink.addLink({ kind: "bridge", name: "cni0", isUp: true });
    for (let n = 0; n < 1000; n++)
      here.netlink.replaceRoute({ to: parseCidr(`10.1.${n >> 2}.${(n & 3) << 6}/26`), link });
    using socket = world.kernel.inNetns(ns, () => new NetlinkSocket(NETLINK_ROUTE));
    const request = { type: RTM_GETROUTE, op: "list routes", parts: encodeRouteQuery(4) };
    assert.throws(() => socket.dump(request, () => assert.fail("given up")), /given up/);
    assert.equal(socket.dump(request, decodeRoute).length, 1000);
  });

  test("the thread pool was born at home, whatever is first queued inside a guard", async () => {
    using world = openWorld();
    using ns = world.kernel.createNetns(world.path("a"));
    const home = own();
    const seen: Promise<string>[] = [];
    world.kernel.inNetns(ns, () => {
      for (let n = 0; n < 8; n++) seen.push(readlink("/proc/thread-self/ns/net"));
    });
    assert.deepEqual(new Set(await Promise.all(seen)), new Set([home]));
  });

  test("a namespace is made and removed inside a private mount namespace too", () => {
    using world = openWorld();
    const path = JSON.stringify(world.path("a"));
    const script = `
      import { openKernel } from "${new URL("./open.ts", import.meta.url)}";
      import { existsSync } from "node:fs";
      using kernel = openKernel();
      using ns = kernel.createNetns(${path});
      using inside = kernel.openIn(ns);
      inside.netlink.addLink({ kind: "bridge", name: "cni0" });
      using again = kernel.openNetns(${path});
      using reached = kernel.openIn(again);
      console.log(reached.netlink.listLinks().length);
      kernel.deleteNetns(${path});
      console.log(existsSync(${path}));`;
    const args = [
      "--mount",
      "--propagation",
      "private",
      process.execPath,
      "--input-type=module",
      "-e",
      script,
    ];
    assert.equal(execFileSync("unshare", args, { encoding: "utf8" }), "2\nfalse\n");
  });

  test("ip(8) sees the namespace, its link and its route", () => {
    using world = openWorld();
    const path = world.path("a");
    using ns = world.kernel.createNetns(path);
    using net = world.kernel.openIn(ns);
    net.netlink.addLink({ kind: "bridge", name: "cni0", isUp: true });
    const seen = execFileSync("ip", ["-n", path.split("/").at(-1) ?? "", "-o", "link"], { encoding: "utf8" });
    assert.match(seen, /1: lo: <LOOPBACK,UP/);
    assert.match(seen, /cni0: <[^>]*UP/);
  });
});

after(() => assert.deepEqual(openFds(), [], "a descriptor is left open"));
