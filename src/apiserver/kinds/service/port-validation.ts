import type { ServicePort, ServiceSpec } from "#kube/generated/types";
import { duplicate, forbidden, invalid, notSupported, required } from "../field/error.ts";
import { labelProblems, qualifiedNameProblems } from "../field/names.ts";
import { portNameProblems, validPort } from "../field/numbers.ts";
import type { FieldError } from "../kind.ts";
import { isHeadless } from "./needs.ts";

const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const KUBELET_PORT = 10250;

export function validateServicePorts(spec: ServiceSpec): readonly FieldError[] {
  const ports = spec.ports ?? [];
  if (ports.length === 0)
    return isHeadless(spec) || spec.type === "ExternalName" ? [] : [required("spec.ports")];
  const names = new Set<string>();
  return [
    ...ports.flatMap((port, i) => [
      ...validatePort(`spec.ports[${i}]`, port, { mustHaveName: ports.length > 1, names }),
      ...validateForType(`spec.ports[${i}]`, port, spec.type),
    ]),
    ...validateUnique(ports),
  ];
}

function validatePort(
  path: string,
  port: ServicePort,
  { mustHaveName, names }: { mustHaveName: boolean; names: Set<string> },
): readonly FieldError[] {
  const errors = [...validateName(`${path}.name`, port.name ?? "", mustHaveName, names)];
  errors.push(...validPort(`${path}.port`, port.port));
  if (!port.protocol) errors.push(required(`${path}.protocol`));
  else if (!PROTOCOLS.includes(port.protocol))
    errors.push(notSupported(`${path}.protocol`, port.protocol, PROTOCOLS));
  const target = port.targetPort;
  if (typeof target === "number") errors.push(...validPort(`${path}.targetPort`, target));
  if (typeof target === "string")
    errors.push(...portNameProblems(target).map((why) => invalid(`${path}.targetPort`, target, why)));
  if (port.appProtocol !== undefined)
    errors.push(
      ...qualifiedNameProblems(port.appProtocol).map((why) =>
        invalid(`${path}.appProtocol`, port.appProtocol, why),
      ),
    );
  return errors;
}

function validateName(
  path: string,
  name: string,
  mustHaveName: boolean,
  names: Set<string>,
): readonly FieldError[] {
  if (name === "") return mustHaveName ? [required(path)] : [];
  const errors = labelProblems(name).map((why) => invalid(path, name, why));
  if (names.has(name)) errors.push(duplicate(path, name));
  names.add(name);
  return errors;
}

function validateForType(path: string, port: ServicePort, type: string | undefined): readonly FieldError[] {
  if (type === "LoadBalancer" && port.port === KUBELET_PORT)
    return [
      invalid(
        `${path}.port`,
        port.port,
        `may not expose port ${KUBELET_PORT} externally since it is used by kubelet`,
      ),
    ];
  if (type === "ClusterIP" && port.nodePort)
    return [forbidden(`${path}.nodePort`, "may not be used when `type` is 'ClusterIP'")];
  return [];
}

/** One (protocol, port) and one (protocol, nodePort) a Service. */
function validateUnique(ports: readonly ServicePort[]): readonly FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  ports.forEach(({ protocol, port, nodePort }, i) => {
    const pair = `${protocol}/${port}`;
    if (seen.has(pair)) errors.push(duplicate(`spec.ports[${i}]`, portAsStruct({ protocol, port })));
    seen.add(pair);
    const outside = `${protocol} node ${nodePort}`;
    if (nodePort && seen.has(outside)) errors.push(duplicate(`spec.ports[${i}].nodePort`, nodePort));
    seen.add(outside);
  });
  return errors;
}

/** As kube-apiserver prints its own struct in this message. */
function portAsStruct({ protocol, port }: Pick<ServicePort, "protocol" | "port">): object {
  return { Name: "", Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 };
}
