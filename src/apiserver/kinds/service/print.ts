import type { Service } from "#kube/generated/types";
import { ageColumn, nameColumn, printer, text, wide } from "../print/printer.ts";
import { joined, mapText, NONE } from "../print/words.ts";

export const servicePrinter = printer<Service>([
  nameColumn,
  text("Type", ({ spec }) => spec?.type ?? ""),
  text("Cluster-IP", ({ spec }) => spec?.clusterIPs?.[0] || spec?.clusterIP || NONE),
  text("External-IP", externalText),
  text("Port(s)", portsText),
  ageColumn,
  wide("Selector", ({ spec }) => mapText(spec?.selector)),
]);

function externalText({ spec, status }: Service): string {
  const own = spec?.externalIPs ?? [];
  if (spec?.type === "ExternalName") return spec.externalName ?? "";
  if (spec?.type !== "LoadBalancer") return joined(own);
  const given = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => ip || hostname || []);
  const all = [...[...new Set(given)].sort(), ...own];
  return all.length === 0 ? "<pending>" : all.join(",");
}

function portsText({ spec }: Service): string {
  return joined(
    (spec?.ports ?? []).map(({ port, nodePort, protocol }) =>
      nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
    ),
  );
}
