import type { FakeNamespace } from "./namespace.ts";

/** The whole namespace as sorted lines in the words of `ip` and `bridge`, for golden tests. */
export function renderNamespace(here: FakeNamespace): string {
  const dev = (index: number) => here.links.get(index)?.name ?? `#${index}`;
  const links = [...here.links.values()].map(
    ({ name, kind, isUp, mtuBytes, master, hairpin, pace, receiver }) =>
      `link ${name}${kind && ` ${kind}`} ${isUp ? "up" : "down"} mtu ${mtuBytes}` +
      `${master === undefined ? "" : ` master ${dev(master)}`}${hairpin ? " hairpin" : ""}` +
      `${pace ? ` pace ${pace.bytesPerSecond}` : ""}${receiver === undefined ? "" : ` received by ${dev(receiver)}`}`,
  );
  const addresses = here.addresses.map(({ address, link }) => `address ${address} dev ${dev(link)}`);
  const routes = here.routes.map(({ to, via, link, onlink, protocol, kind }) =>
    kind === undefined
      ? `route ${to}${via ? ` via ${via}` : ""} dev ${dev(link)} proto ${protocol}${onlink ? " onlink" : ""}`
      : `route ${kind} ${to} proto ${protocol}`,
  );
  const neighbors = here.neighbors.map(
    ({ ip, mac, link }) => `neighbor ${ip} lladdr ${mac} dev ${dev(link)}`,
  );
  const fdb = here.fdb.map(({ mac, vtep, link }) => `fdb ${mac} dst ${vtep} dev ${dev(link)}`);
  const settings = [...here.settings].map(
    ([path, value]) => `sysctl ${path.slice("/proc/sys/".length)} = ${value}`,
  );
  const groups = [links, addresses, routes, neighbors, fdb, settings].map((lines) => lines.toSorted());
  return groups.flat().join("\n").concat("\n");
}
