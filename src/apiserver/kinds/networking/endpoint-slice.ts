import { familyOf } from "#addr/ip";
import type { Endpoint, EndpointSlice } from "#kube/generated/types";
import { ENDPOINT_SLICES } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { validEndpointIp } from "../field/addresses.ts";
import { duplicate, invalid, notSupported, problems, required, tooMany } from "../field/error.ts";
import {
  labelProblems,
  labelValueProblems,
  qualifiedNameProblems,
  subdomainProblems,
} from "../field/names.ts";
import { validPort } from "../field/numbers.ts";
import type { FieldError, KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";
import { someOf } from "../print/words.ts";

const ADDRESS_TYPES = ["FQDN", "IPv4", "IPv6"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const MAX_ENDPOINTS = 1000;
const MAX_ADDRESSES = 100;
const MAX_PORTS = 20_000;
const MAX_HINTS = 8;

export const endpointSlices: KindSpec<EndpointSlice> = kindSpec<EndpointSlice>({
  resource: ENDPOINT_SLICES,
  definition: "io.k8s.api.discovery.v1.EndpointSlice",
  generation: "labels-and-outside-metadata",
  defaults: (draft) => {
    for (const port of draft.ports ?? []) {
      port.name ??= "";
      port.protocol ??= "TCP";
    }
    // served for older versions of the kind only
    for (const endpoint of draft.endpoints ?? []) delete endpoint.deprecatedTopology;
  },
  validate: validateSlice,
  validateUpdate: (object, stored) =>
    object.addressType === stored.addressType
      ? []
      : [invalid("addressType", object.addressType, "field is immutable")],
  ...printer<EndpointSlice>([
    nameColumn,
    text("AddressType", ({ addressType }) => addressType),
    text("Ports", portsText),
    text("Endpoints", endpointsText),
    ageColumn,
  ]),
});

function portsText({ ports }: EndpointSlice): string {
  if (!ports?.length) return "<unset>";
  return someOf(
    ports.map(({ port }) => (port === undefined ? "*" : String(port))),
    3,
  );
}

function endpointsText({ endpoints }: EndpointSlice): string {
  const addresses = (endpoints ?? []).flatMap(({ addresses }) => addresses ?? []);
  return addresses.length === 0 ? "<unset>" : someOf(addresses, 3);
}

function validateSlice(slice: EndpointSlice): readonly FieldError[] {
  if (!slice.addressType) return [required("addressType")];
  if (!ADDRESS_TYPES.includes(slice.addressType))
    return [notSupported("addressType", slice.addressType, ADDRESS_TYPES)];
  const endpoints = slice.endpoints ?? [];
  if (endpoints.length > MAX_ENDPOINTS) return [tooMany("endpoints", endpoints.length, MAX_ENDPOINTS)];
  return [
    ...endpoints.flatMap((endpoint, i) => [
      ...validateAddresses(`endpoints[${i}].addresses`, endpoint.addresses, slice.addressType),
      ...validatePlace(`endpoints[${i}]`, endpoint),
    ]),
    ...validatePorts(slice),
  ];
}

function validateAddresses(
  path: string,
  addresses: readonly string[] | undefined,
  type: string,
): readonly FieldError[] {
  if (!addresses?.length) return [required(path, "must contain at least 1 address")];
  if (addresses.length > MAX_ADDRESSES) return [tooMany(path, addresses.length, MAX_ADDRESSES)];
  return addresses.flatMap((address, i) => validateAddress(`${path}[${i}]`, address, type));
}

/** Where the endpoint is, and for whom it is. */
function validatePlace(path: string, { hostname, nodeName, hints }: Endpoint) {
  const errors: FieldError[] = [];
  if (hostname !== undefined) errors.push(...problems(`${path}.hostname`, hostname, labelProblems(hostname)));
  if (nodeName !== undefined)
    errors.push(...problems(`${path}.nodeName`, nodeName, subdomainProblems(nodeName)));
  for (const field of ["forZones", "forNodes"] as const) {
    const names = (hints?.[field] ?? []).map(({ name }) => name);
    const at = `${path}.hints.${field}`;
    if (names.length > MAX_HINTS) errors.push(tooMany(at, names.length, MAX_HINTS));
    names.forEach((name, i) => {
      if (names.indexOf(name) < i) errors.push(duplicate(`${at}[${i}]`, name));
      const whys = field === "forZones" ? labelValueProblems(name) : subdomainProblems(name);
      errors.push(...problems(`${at}[${i}].name`, name, whys));
    });
  }
  return errors;
}

function validateAddress(path: string, address: string, type: string): readonly FieldError[] {
  if (type === "FQDN") return validateDomain(path, address);
  const errors = validEndpointIp(path, address);
  if (errors.length > 0) return errors;
  return familyOf(address) === (type === "IPv4" ? 4 : 6)
    ? []
    : [invalid(path, address, `must be an ${type} address`)];
}

/** A domain name of two labels at least. */
function validateDomain(path: string, name: string): readonly FieldError[] {
  if (name === "") return [required(path)];
  const bare = name.replace(/\.$/, "");
  const wrong = problems(path, bare, subdomainProblems(bare));
  if (wrong.length > 0) return wrong;
  if (bare.split(".").length < 2)
    return [invalid(path, bare, "should be a domain with at least two segments separated by dots")];
  return bare.split(".").flatMap((part) => problems(path, part, labelProblems(part)));
}

function validatePorts(slice: EndpointSlice): readonly FieldError[] {
  const ports = slice.ports ?? [];
  if (ports.length > MAX_PORTS) return [tooMany("ports", ports.length, MAX_PORTS)];
  const seen = new Set<string>();
  return ports.flatMap((port, i) => {
    const path = `ports[${i}]`;
    const name = port.name ?? "";
    const errors: FieldError[] = [];
    if (seen.has(name)) errors.push(duplicate(`${path}.name`, name));
    seen.add(name);
    if (name !== "") errors.push(...problems(`${path}.name`, name, labelProblems(name)));
    if (port.appProtocol !== undefined)
      errors.push(
        ...problems(`${path}.appProtocol`, port.appProtocol, qualifiedNameProblems(port.appProtocol)),
      );
    if (!PROTOCOLS.includes(port.protocol ?? ""))
      errors.push(notSupported(`${path}.protocol`, port.protocol ?? "", PROTOCOLS));
    if (port.port) errors.push(...validPort(`${path}.port`, port.port));
    return errors;
  });
}
