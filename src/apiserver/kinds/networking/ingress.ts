import { isIp } from "#addr/ip";
import type { HTTPIngressPath, Ingress, IngressBackend } from "#kube/generated/types";
import { INGRESSES } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { validIp } from "../field/addresses.ts";
import { invalid, notSupported, problems, required } from "../field/error.ts";
import { labelProblems, subdomainProblems } from "../field/names.ts";
import { portNameProblems, validPort } from "../field/numbers.ts";
import { validateReference } from "../field/references.ts";
import type { FieldError, KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";
import { joined, NONE } from "../print/words.ts";

const PATH_TYPES = ["Exact", "ImplementationSpecific", "Prefix"];
const CLASS_ANNOTATION = "kubernetes.io/ingress.class";

export const ingresses: KindSpec<Ingress> = kindSpec<Ingress>({
  resource: INGRESSES,
  definition: "io.k8s.api.networking.v1.Ingress",
  shortNames: ["ing"],
  hasStatus: true,
  generation: "spec",
  prepareCreate: (draft) => {
    draft.status = { loadBalancer: {} };
  },
  validate: validateIngress,
  validateCreate: validateClassOnce,
  validatePart: (_part, { status }) => validateBalancer(status?.loadBalancer?.ingress ?? []),
  warnings: ({ metadata }, stored) =>
    metadata.annotations?.[CLASS_ANNOTATION] !== undefined && stored === undefined
      ? [`annotation "${CLASS_ANNOTATION}" is deprecated, please use 'spec.ingressClassName' instead`]
      : [],
  ...printer<Ingress>([
    nameColumn,
    text(
      "Class",
      ({ spec, metadata }) => spec?.ingressClassName ?? metadata.annotations?.[CLASS_ANNOTATION] ?? NONE,
    ),
    text("Hosts", hostsText),
    text("Address", addressText),
    text("Ports", ({ spec }) => (spec?.tls?.length ? "80, 443" : "80")),
    ageColumn,
  ]),
});

function hostsText({ spec }: Ingress): string {
  const rules = spec?.rules ?? [];
  const hosts = rules.slice(0, 3).flatMap(({ host }) => (host ? [host] : []));
  if (hosts.length === 0) return "*";
  return rules.length > 3 ? `${hosts.join(",")} + ${rules.length - 3} more...` : hosts.join(",");
}

function addressText({ status }: Ingress): string {
  const addresses = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || "");
  return addresses.length === 0 ? "" : joined([...new Set(addresses)].sort());
}

/** The annotation and the field that name the class may not disagree with each other. */
function validateClassOnce({ metadata, spec }: Ingress): readonly FieldError[] {
  const annotated = metadata.annotations?.[CLASS_ANNOTATION];
  if (annotated === undefined || spec?.ingressClassName === undefined || annotated === spec.ingressClassName)
    return [];
  return [
    invalid(
      `annotations.${CLASS_ANNOTATION}`,
      annotated,
      "must match `ingressClassName` when both are specified",
    ),
  ];
}

function validateIngress({ spec }: Ingress): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (!spec?.rules?.length && spec?.defaultBackend === undefined)
    errors.push(invalid("spec", null, "either `defaultBackend` or `rules` must be specified"));
  if (spec?.defaultBackend !== undefined)
    errors.push(...validateBackend("spec.defaultBackend", spec.defaultBackend));
  if (spec?.ingressClassName !== undefined)
    errors.push(
      ...subdomainProblems(spec.ingressClassName).map((why) =>
        invalid("spec.ingressClassName", spec.ingressClassName, why),
      ),
    );
  (spec?.rules ?? []).forEach(({ host, http }, i) => {
    const path = `spec.rules[${i}]`;
    if (host) errors.push(...validateHost(`${path}.host`, host));
    if (http === undefined) return;
    if (!http.paths?.length) errors.push(required(`${path}.http.paths`));
    (http.paths ?? []).forEach((entry, j) => {
      errors.push(...validatePath(`${path}.http.paths[${j}]`, entry));
    });
  });
  (spec?.tls ?? []).forEach(({ hosts = [], secretName }, i) => {
    hosts.forEach((host, j) => {
      errors.push(...validateName(`spec.tls[${i}].hosts[${j}]`, host));
    });
    if (secretName)
      errors.push(...problems(`spec.tls[${i}].secretName`, secretName, subdomainProblems(secretName)));
  });
  return errors;
}

type BalancerIngress = NonNullable<
  NonNullable<NonNullable<Ingress["status"]>["loadBalancer"]>["ingress"]
>[number];

function validateBalancer(points: readonly BalancerIngress[]): readonly FieldError[] {
  return points.flatMap(({ ip, hostname }, i) => {
    const at = `status.loadBalancer.ingress[${i}]`;
    return [
      ...(ip ? validIp(`${at}.ip`, ip) : []),
      ...(hostname ? problems(`${at}.hostname`, hostname, subdomainProblems(hostname)) : []),
      ...(hostname && isIp(hostname)
        ? [invalid(`${at}.hostname`, hostname, "must be a DNS name, not an IP address")]
        : []),
    ];
  });
}

const WILDCARD_RULE =
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

function validateHost(path: string, host: string): readonly FieldError[] {
  const address = isIp(host) ? [invalid(path, host, "must be a DNS name, not an IP address")] : [];
  return [...address, ...validateName(path, host)];
}

function validateName(path: string, host: string): readonly FieldError[] {
  if (!host.includes("*")) return subdomainProblems(host).map((why) => invalid(path, host, why));
  const rest = host.startsWith("*.") ? host.slice(2) : "*";
  return subdomainProblems(rest).length === 0 ? [] : [invalid(path, host, WILDCARD_RULE)];
}

/** What no absolute path holds: each reads differently to different routers. */
const BAD_IN_PATH = ["//", "/./", "/../", "%2f", "%2F"];

function validatePath(path: string, entry: HTTPIngressPath): readonly FieldError[] {
  const errors: FieldError[] = [];
  const { pathType, path: url = "" } = entry;
  if (!pathType) return [required(`${path}.pathType`, "pathType must be specified")];
  if (!PATH_TYPES.includes(pathType)) errors.push(notSupported(`${path}.pathType`, pathType, PATH_TYPES));
  const isStrict = pathType === "Exact" || pathType === "Prefix";
  if (isStrict ? !url.startsWith("/") : url !== "" && !url.startsWith("/"))
    errors.push(invalid(`${path}.path`, url, "must be an absolute path"));
  if (isStrict) {
    for (const bad of BAD_IN_PATH)
      if (url.includes(bad)) errors.push(invalid(`${path}.path`, url, `must not contain '${bad}'`));
    for (const bad of ["/..", "/."])
      if (url.endsWith(bad)) errors.push(invalid(`${path}.path`, url, `cannot end with '${bad}'`));
  }
  return [...errors, ...validateBackend(`${path}.backend`, entry.backend)];
}

function validateBackend(path: string, backend: IngressBackend | undefined): readonly FieldError[] {
  const { service, resource } = backend ?? {};
  if (service !== undefined && resource !== undefined)
    return [invalid(path, "", "cannot set both resource and service backends")];
  if (resource !== undefined) return validateReference(`${path}.resource`, resource);
  if (service === undefined) return [invalid(path, "", "resource or service backend is required")];
  if (!service.name) return [required(`${path}.service.name`)];
  const errors = labelProblems(service.name).map((why) => invalid(`${path}.service.name`, service.name, why));
  const { name, number } = service.port ?? {};
  if (name && number) errors.push(invalid(path, "", "cannot set both port name & port number"));
  else if (!name && !number) errors.push(required(path, "port name or number is required"));
  else if (name) errors.push(...problems(`${path}.service.port.name`, name, portNameProblems(name)));
  else if (number) errors.push(...validPort(`${path}.service.port.number`, number));
  return errors;
}
