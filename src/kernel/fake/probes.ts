import { constants } from "node:os";
import { addressOf } from "#addr/cidr";
import type { Ip } from "#addr/ip";
import { SyscallFault } from "#fault/kernel-fault";
import type { Netlink, ProbeAnswer, ProbeOptions, Probes } from "../kernel.ts";
import type { FakeNamespace } from "./namespace.ts";

/** What becomes of a probe on its way to an address and back. */
export interface FakePath {
  readonly roundTripUs?: number;
  /** Larger packets vanish. */
  readonly fitsBytes?: number;
  /** The link whose hardware sends checksums that it should fill in as they are. */
  readonly brokenLink?: string;
  /** What a packet filter on the way takes out. */
  readonly drops?: readonly ("echo" | "datagram")[];
}

/** In IPv4 the largest packet there is. */
const LOOPBACK_MTU = { 4: 65_535, 6: 65_536 } as const;
const FIRST_PORT = 40_000;

/** The namespace's own addresses answer, and those that its `paths` tell of; where there is a route but no path, nothing does. */
export function fakeProbes(
  here: FakeNamespace,
  { lookupRoute }: Pick<Netlink, "lookupRoute">,
): (options: ProbeOptions) => Probes {
  return ({ family, heard }) => {
    const answers: ProbeAnswer[] = [];
    let nextPort = FIRST_PORT;
    let isOpen = true;
    const pathTo = (to: Ip): { path: FakePath | undefined; mtuBytes: number } => {
      if (here.addresses.some(({ address }) => addressOf(address) === to))
        return { path: {}, mtuBytes: LOOPBACK_MTU[family] };
      const path = here.paths.get(to);
      const route = lookupRoute(to);
      if (!path && !route) throw new SyscallFault("send to", to, constants.errno.ENETUNREACH);
      return { path, mtuBytes: (route && here.links.get(route.link)?.mtuBytes) ?? LOOPBACK_MTU[family] };
    };
    const hear = (answer: ProbeAnswer) => {
      answers.push(answer);
      setImmediate(() => isOpen && heard?.());
    };
    return {
      sendEcho({ to, sequence, packetBytes }) {
        const { path, mtuBytes } = pathTo(to);
        if (packetBytes > mtuBytes) throw new SyscallFault("send to", to, constants.errno.EMSGSIZE);
        const isLost =
          path?.drops?.includes("echo") || packetBytes > (path?.fitsBytes ?? LOOPBACK_MTU[family]);
        if (path && !isLost) hear({ kind: "echo", sequence, roundTripUs: path.roundTripUs ?? 0 });
      },
      sendDatagram({ to, port, checksum }) {
        const { path } = pathTo(to);
        const sourcePort = nextPort++;
        const isUnfilled = checksum === "device" && here.findLink(path?.brokenLink ?? "")?.fillsChecksums;
        if (path && !isUnfilled && !path.drops?.includes("datagram"))
          hear({ kind: "refused", to, sourcePort, port });
        return sourcePort;
      },
      receive: () => answers.shift(),
      knownPathMtu: (to) => pathTo(to).mtuBytes,
      [Symbol.dispose]() {
        isOpen = false;
      },
    };
  };
}
