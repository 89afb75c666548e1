import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { after, describe, test } from "node:test";
import { kernelContract } from "../../test/contract/kernel.contract.ts";
import { CLAIMS } from "./claims.ts";
import { openFds } from "./fd.ts";
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
