/** Probes and devices' features as every kernel has them: run beside `kernel.contract.ts`. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { addressOf, parseCidr, parseIpPrefix } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { parseIp } from "#addr/ip";
import type { NetKernel, ProbeAnswer, Probes } from "#kernel/kernel";
import { eventually } from "../fabric/machines.ts";
import type { ContractWorld } from "./kernel.contract.ts";

const WORLD = {
  4: { own: "10.42.9.0/32", far: "10.42.3.0", loopbackMtu: 65_535 },
  6: { own: "fd00:42:9::/128", far: "fd00:42:3::", loopbackMtu: 65_536 },
} as const;
const LOOPBACK = 1;
const CLOSED_PORT = 33_434;

export function probeContract(open: () => ContractWorld): void {
  let opened: DisposableStack;
  let net: NetKernel;
  beforeEach(() => {
    opened = new DisposableStack();
    const world = opened.use(open());
    net = opened.use(world.kernel.openIn(opened.use(world.kernel.createNetns(world.path("a")))));
    net.netlink.addLink({ kind: "bridge", name: "cni0", isUp: true });
  });
  afterEach(() => opened.dispose());

  for (const family of FAMILIES)
    describe(`IPv${family} probes`, () => {
      const own = addressOf(parseCidr(WORLD[family].own));
      const far = parseIp(WORLD[family].far);
      beforeEach(async () => {
        const { netlink } = net;
        const link = netlink.findLink("cni0")?.index ?? 0;
        netlink.addAddress(link, parseIpPrefix(WORLD[family].own), { noDad: true });
        // The kernel makes an IPv6 address its own a moment later; until then it asks the link who has it.
        await eventually("the address is our own", () => netlink.lookupRoute(own)?.link === LOOPBACK);
      });
      const openProbes = (heard = () => {}) =>
        opened.use(net.openProbes({ family, mark: 0x4000, source: own, heard }));
      /** What `count` answers say, without how long they took. */
      const answersTo = async (send: (probes: Probes) => void, count: number) => {
        const found: object[] = [];
        const all = Promise.withResolvers<void>();
        const probes = openProbes(() => {
          for (let next = probes.receive(); next; next = probes.receive()) found.push(untimed(next));
          if (found.length >= count) all.resolve();
        });
        const alive = setInterval(() => {}, 1000);
        opened.defer(() => clearInterval(alive));
        send(probes);
        await all.promise;
        return found;
      };

      test("an echo of any size comes back with its number", async () => {
        const send = (probes: Probes) => {
          for (const [sequence, packetBytes] of [64, 1400, 64_000].entries())
            probes.sendEcho({ to: own, sequence, packetBytes });
        };
        assert.deepEqual(
          await answersTo(send, 3),
          [0, 1, 2].map((sequence) => ({ kind: "echo", sequence })),
        );
      });

      test("a datagram to a closed port is refused, whoever fills in its checksum", async () => {
        const sourcePorts: number[] = [];
        const found = await answersTo((probes) => {
          for (const checksum of ["device", "complete"] as const)
            sourcePorts.push(probes.sendDatagram({ to: own, port: CLOSED_PORT, checksum }));
        }, 2);
        assert.deepEqual(
          found,
          sourcePorts.map((sourcePort) => ({ kind: "refused", to: own, sourcePort, port: CLOSED_PORT })),
        );
      });

      test("this machine says at once what it does not send", () => {
        const probes = openProbes();
        const send = (to: typeof own, packetBytes: number) => () =>
          probes.sendEcho({ to, sequence: 1, packetBytes });
        assert.throws(send(own, 65_537), { code: "EMSGSIZE" });
        assert.throws(send(far, 100), { code: "ENETUNREACH" });
        assert.throws(() => probes.sendDatagram({ to: far, port: CLOSED_PORT, checksum: "device" }), {
          code: "ENETUNREACH",
        });
        assert.equal(probes.receive(), undefined);
        assert.equal(probes.knownPathMtu(own), WORLD[family].loopbackMtu);
      });
    });

  describe("what devices do", () => {
    test("checksums are left to a device until that is turned off", () => {
      const { features } = net;
      assert.equal(features.fillsChecksums("cni0"), true);
      for (const isWanted of [false, false, true]) {
        features.setFillsChecksums("cni0", isWanted);
        assert.equal(features.fillsChecksums("cni0"), isWanted);
      }
    });

    test("an absent one does nothing", () => {
      assert.equal(net.features.fillsChecksums("cni1"), undefined);
      assert.throws(() => net.features.setFillsChecksums("cni1", false), { code: "ENODEV" });
    });
  });
}

function untimed(answer: ProbeAnswer): object {
  if (answer.kind !== "echo") return answer;
  const { roundTripUs, ...rest } = answer;
  assert.ok(roundTripUs >= 0 && roundTripUs < 10_000_000, `${roundTripUs} us`);
  return rest;
}
