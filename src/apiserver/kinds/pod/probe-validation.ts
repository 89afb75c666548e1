import type { Lifecycle, LifecycleHandler, Probe } from "#kube/generated/types";
import { forbidden, invalid, notSupported, required } from "../field/error.ts";
import { nonNegative, portNameProblems, validPort } from "../field/numbers.ts";
import type { FieldError } from "../kind.ts";

const SCHEMES = ["HTTP", "HTTPS"];
const NUMBERS = [
  "initialDelaySeconds",
  "timeoutSeconds",
  "periodSeconds",
  "successThreshold",
  "failureThreshold",
] as const;

/** `mustSucceedOnce`: liveness and startup probes have nothing to count beyond one success. */
export function validateProbe(
  path: string,
  probe: Probe | undefined,
  { mustSucceedOnce }: { mustSucceedOnce: boolean },
): readonly FieldError[] {
  if (probe === undefined) return [];
  const errors = [
    ...validateHandler(path, probe),
    ...NUMBERS.flatMap((field) => nonNegative(`${path}.${field}`, probe[field])),
  ];
  if (mustSucceedOnce && probe.successThreshold !== 1)
    errors.push(invalid(`${path}.successThreshold`, probe.successThreshold ?? 0, "must be 1"));
  return errors;
}

export function validateLifecycle(path: string, lifecycle: Lifecycle | undefined): readonly FieldError[] {
  const { postStart, preStop } = lifecycle ?? {};
  return [
    ...(postStart === undefined ? [] : validateHandler(`${path}.postStart`, postStart)),
    ...(preStop === undefined ? [] : validateHandler(`${path}.preStop`, preStop)),
  ];
}

type Handler = Pick<Probe, "exec" | "httpGet" | "tcpSocket" | "grpc"> & Pick<LifecycleHandler, "sleep">;

function validateHandler(path: string, handler: Handler): readonly FieldError[] {
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  const given = Object.entries({ exec, httpGet, tcpSocket, grpc, sleep }).filter(
    ([, value]) => value !== undefined,
  );
  if (given.length === 0) return [required(path, "must specify a handler type")];
  const errors: FieldError[] = given
    .slice(1)
    .map(([name]) => forbidden(`${path}.${name}`, "may not specify more than 1 handler type"));
  if (exec !== undefined && !exec.command?.length) errors.push(required(`${path}.exec.command`));
  if (httpGet !== undefined) {
    if (!httpGet.path) errors.push(required(`${path}.httpGet.path`));
    errors.push(...validateTarget(`${path}.httpGet.port`, httpGet.port));
    if (!SCHEMES.includes(httpGet.scheme ?? ""))
      errors.push(notSupported(`${path}.httpGet.scheme`, httpGet.scheme ?? "", SCHEMES));
  }
  if (tcpSocket !== undefined) errors.push(...validateTarget(`${path}.tcpSocket.port`, tcpSocket.port));
  if (grpc !== undefined) errors.push(...validPort(`${path}.grpc.port`, grpc.port));
  return errors;
}

/** A port by number or by the name a container port has. */
function validateTarget(path: string, port: number | string): readonly FieldError[] {
  return typeof port === "number"
    ? validPort(path, port)
    : portNameProblems(port).map((why) => invalid(path, port, why));
}
