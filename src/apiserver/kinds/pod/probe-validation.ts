import type { Container, LifecycleHandler, Probe } from "#kube/generated/types";
import { forbidden, invalid, notSupported, required } from "../field/error.ts";
import { nonNegative, portOrName, validPort } from "../field/numbers.ts";
import type { FieldError } from "../kind.ts";

const SCHEMES = ["HTTP", "HTTPS"];
const HEADER_NAME = /^[-A-Za-z0-9]+$/;
const HEADER_RULE =
  "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
const NUMBERS = [
  "initialDelaySeconds",
  "timeoutSeconds",
  "periodSeconds",
  "successThreshold",
  "failureThreshold",
] as const;

/** Hooks and probes of a container that runs for as long as its pod. `grace`: how many seconds the pod has to end, if that is known. */
export function validateProbes(
  path: string,
  container: Container,
  grace: number | undefined,
): readonly FieldError[] {
  const { lifecycle, livenessProbe, readinessProbe, startupProbe } = container;
  const { postStart, preStop } = lifecycle ?? {};
  return [
    ...(postStart === undefined ? [] : validateHandler(`${path}.lifecycle.postStart`, postStart, grace)),
    ...(preStop === undefined ? [] : validateHandler(`${path}.lifecycle.preStop`, preStop, grace)),
    ...validateProbe(`${path}.livenessProbe`, livenessProbe, { mustSucceedOnce: true }),
    ...validateProbe(`${path}.readinessProbe`, readinessProbe, { mustSucceedOnce: false }),
    ...validateReadinessGrace(`${path}.readinessProbe`, readinessProbe),
    ...validateProbe(`${path}.startupProbe`, startupProbe, { mustSucceedOnce: true }),
  ];
}

/** Hooks and probes have no place in what runs before the pod is up. */
export function forbidProbes(path: string, container: Container): readonly FieldError[] {
  return (["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] as const)
    .filter((field) => container[field] !== undefined)
    .map((field) =>
      forbidden(`${path}.${field}`, "may not be set for init containers without restartPolicy=Always"),
    );
}

/** `mustSucceedOnce`: liveness and startup probes have nothing to count beyond one success. */
function validateProbe(
  path: string,
  probe: Probe | undefined,
  { mustSucceedOnce }: { mustSucceedOnce: boolean },
): readonly FieldError[] {
  if (probe === undefined) return [];
  const errors = [
    ...validateHandler(path, probe, undefined),
    ...NUMBERS.flatMap((field) => nonNegative(`${path}.${field}`, probe[field])),
  ];
  const { terminationGracePeriodSeconds: grace } = probe;
  if (grace !== undefined && grace <= 0)
    errors.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, "must be greater than 0"));
  if (mustSucceedOnce && probe.successThreshold !== 1)
    errors.push(invalid(`${path}.successThreshold`, probe.successThreshold ?? 0, "must be 1"));
  return errors;
}

function validateReadinessGrace(path: string, probe: Probe | undefined): readonly FieldError[] {
  const grace = probe?.terminationGracePeriodSeconds;
  if (grace === undefined) return [];
  return [invalid(`${path}.terminationGracePeriodSeconds`, grace, "must not be set for readinessProbes")];
}

type Handler = Pick<Probe, "exec" | "httpGet" | "tcpSocket" | "grpc"> & Pick<LifecycleHandler, "sleep">;

function validateHandler(path: string, handler: Handler, grace: number | undefined): readonly FieldError[] {
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  const [first, ...more] = Object.entries({ exec, httpGet, tcpSocket, grpc, sleep })
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name);
  if (first === undefined) return [required(path, "must specify a handler type")];
  const errors: FieldError[] = [];
  if (first === "exec" && !exec?.command?.length) errors.push(required(`${path}.exec.command`));
  if (first === "httpGet") errors.push(...validateHttpGet(`${path}.httpGet`, httpGet));
  if (first === "tcpSocket") errors.push(...portOrName(`${path}.tcpSocket.port`, tcpSocket?.port));
  if (first === "grpc") errors.push(...validPort(`${path}.grpc.port`, grpc?.port));
  if (first === "sleep") errors.push(...validateSleep(`${path}.sleep`, sleep?.seconds ?? 0, grace));
  return [
    ...errors,
    ...more.map((name) => forbidden(`${path}.${name}`, "may not specify more than 1 handler type")),
  ];
}

function validateHttpGet(path: string, action: Probe["httpGet"]): readonly FieldError[] {
  const { path: url, port, scheme = "", httpHeaders = [] } = action ?? {};
  const errors: FieldError[] = [];
  if (!url) errors.push(required(`${path}.path`));
  errors.push(...portOrName(`${path}.port`, port));
  if (!SCHEMES.includes(scheme)) errors.push(notSupported(`${path}.scheme`, scheme, SCHEMES));
  for (const { name } of httpHeaders)
    if (!HEADER_NAME.test(name)) errors.push(invalid(`${path}.httpHeaders`, name, HEADER_RULE));
  return errors;
}

function validateSleep(path: string, seconds: number, grace: number | undefined): readonly FieldError[] {
  if (grace === undefined || (seconds >= 0 && seconds <= grace)) return [];
  const rule = `must be non-negative and less than terminationGracePeriodSeconds (${grace})`;
  return [invalid(path, seconds, rule)];
}
