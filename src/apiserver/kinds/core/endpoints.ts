import { isIp } from "#addr/ip";
import type { Endpoints } from "#kube/endpoints";
import { ENDPOINTS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { validEndpointIp } from "../field/addresses.ts";
import { invalid, notSupported, problems, required } from "../field/error.ts";
import { labelProblems, qualifiedNameProblems, subdomainProblems } from "../field/names.ts";
import { validPort } from "../field/numbers.ts";
import type { FieldError, KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";
import { NONE, someOf } from "../print/words.ts";

export const endpoints: KindSpec<Endpoints> = kindSpec<Endpoints>({
  resource: ENDPOINTS,
  definition: "io.k8s.api.core.v1.Endpoints",
  shortNames: ["ep"],
  createsOnUpdate: true,
  defaults: (draft) => {
    for (const subset of draft.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= "TCP";
  },
  deprecation: "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
  validate: validateEndpoints,
  ...printer<Endpoints>([nameColumn, text("Endpoints", endpointsText), ageColumn]),
});

const PROTOCOLS = ["SCTP", "TCP", "UDP"];

function validateEndpoints({ subsets = [] }: Endpoints): readonly FieldError[] {
  return subsets.flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }, i) => {
    const at = `subsets[${i}]`;
    const isEmpty = addresses.length === 0 && notReadyAddresses.length === 0;
    return [
      ...(isEmpty ? [required(at, "must specify `addresses` or `notReadyAddresses`")] : []),
      ...addresses.flatMap((one, j) => validateAddress(`${at}.addresses[${j}]`, one)),
      ...notReadyAddresses.flatMap((one, j) => validateAddress(`${at}.notReadyAddresses[${j}]`, one)),
      ...ports.flatMap((port, j) => validatePort(`${at}.ports[${j}]`, port, ports.length > 1)),
    ];
  });
}

type Subset = NonNullable<Endpoints["subsets"]>[number];

function validateAddress(
  path: string,
  { ip, hostname, nodeName }: NonNullable<Subset["addresses"]>[number],
): readonly FieldError[] {
  return [
    ...validEndpointIp(`${path}.ip`, ip),
    // said twice, by two rules
    ...(isIp(ip) ? [] : [invalid(`${path}.ip`, ip ?? "", "must be a valid IP address")]),
    ...(hostname ? problems(`${path}.hostname`, hostname, labelProblems(hostname)) : []),
    ...(nodeName === undefined ? [] : problems(`${path}.nodeName`, nodeName, subdomainProblems(nodeName))),
  ];
}

function validatePort(
  path: string,
  { name, port, protocol, appProtocol }: NonNullable<Subset["ports"]>[number],
  mustHaveName: boolean,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (name) errors.push(...problems(`${path}.name`, name, labelProblems(name)));
  else if (mustHaveName) errors.push(required(`${path}.name`));
  errors.push(...validPort(`${path}.port`, port));
  if (!protocol) errors.push(required(`${path}.protocol`));
  else if (!PROTOCOLS.includes(protocol)) errors.push(notSupported(`${path}.protocol`, protocol, PROTOCOLS));
  if (appProtocol !== undefined)
    errors.push(...problems(`${path}.appProtocol`, appProtocol, qualifiedNameProblems(appProtocol)));
  return errors;
}

function endpointsText(object: Endpoints): string {
  const words = (object.subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) =>
          addresses.map(({ ip }) => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`)),
        ),
  );
  return words.length === 0 ? NONE : someOf(words, 3);
}
