import type { Container, PodSpec, WindowsSecurityContextOptions } from "#kube/generated/types";
import { forbidden, invalid, notSupported, problems, required } from "../field/error.ts";
import { subdomainProblems } from "../field/names.ts";
import type { FieldError } from "../kind.ts";

const MAX_SPEC_KIB = 64;
const MAX_DOMAIN = 256;
const MAX_USER = 104;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f]/;
const NETBIOS = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const DNS_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
const DNS = new RegExp(`^${DNS_LABEL}(?:\\.${DNS_LABEL})*$`);
const BAD_IN_USER = /["/\\:;|=,+*?<>@[\]]/;

/** What Windows asks of the names and users that a pod or container runs as. */
export function validateWindowsOptions(
  path: string,
  options: WindowsSecurityContextOptions | undefined,
): readonly FieldError[] {
  const { gmsaCredentialSpecName: name, gmsaCredentialSpec: text, runAsUserName: user } = options ?? {};
  const errors: FieldError[] = [];
  if (name !== undefined)
    errors.push(...problems(`${path}.gmsaCredentialSpecName`, name, subdomainProblems(name)));
  if (text === "")
    errors.push(invalid(`${path}.gmsaCredentialSpec`, text, "gmsaCredentialSpec cannot be an empty string"));
  if (text !== undefined && Buffer.byteLength(text) > MAX_SPEC_KIB * 1024)
    errors.push(
      invalid(
        `${path}.gmsaCredentialSpec`,
        text,
        `gmsaCredentialSpec size must be under ${MAX_SPEC_KIB} KiB`,
      ),
    );
  if (user !== undefined)
    errors.push(
      ...problems(
        `${path}.runAsUserName`,
        user,
        userProblems(user).map((why) => `runAsUserName${why}`),
      ),
    );
  return errors;
}

function userProblems(text: string): readonly string[] {
  if (text === "") return [" cannot be an empty string"];
  if (CONTROL.test(text)) return [" cannot contain control characters"];
  const parts = text.split("\\");
  if (parts.length > 2) return [" cannot contain more than one backslash"];
  const domain = parts.length === 2 ? (parts[0] ?? "") : undefined;
  const user = parts.at(-1) ?? "";
  const whys: string[] = [];
  if ((domain ?? "").length >= MAX_DOMAIN)
    whys.push(`'s Domain length must be under ${MAX_DOMAIN} characters`);
  if (domain !== undefined && !NETBIOS.test(domain) && !DNS.test(domain))
    whys.push("'s Domain doesn't match the NetBios nor the DNS format");
  if (user === "") whys.push("'s User cannot be empty");
  else if (user.length > MAX_USER) whys.push(`'s User length must not be longer than ${MAX_USER} characters`);
  if (/^[. ]+$/.test(user)) whys.push("'s User cannot contain only periods or spaces");
  if (BAD_IN_USER.test(user)) whys.push(`'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]`);
  return whys;
}

/** Either every container of a pod is a process of the host, or none is. */
export function validateHostProcess(path: string, spec: PodSpec): readonly FieldError[] {
  const ofPod = spec.securityContext?.windowsOptions?.hostProcess;
  const errors: FieldError[] = [];
  const containers = containersOf(path, spec);
  let count = 0;
  for (const [at, container] of containers) {
    const own = container.securityContext?.windowsOptions?.hostProcess;
    if (ofPod !== undefined && own !== undefined && own !== ofPod)
      errors.push(
        invalid(
          `${at}.securityContext.windowsOptions.hostProcess`,
          own,
          `pod hostProcess value must be identical if both are specified, was ${ofPod}`,
        ),
      );
    if (own ?? ofPod) count++;
  }
  if (count === 0) return errors;
  if (count !== containers.length)
    errors.push(
      invalid(
        path,
        "",
        "If pod contains any hostProcess containers then all containers must be HostProcess containers",
      ),
    );
  if (spec.hostNetwork !== true)
    errors.push(
      invalid(
        `${path}.hostNetwork`,
        false,
        "hostNetwork must be true if pod contains any hostProcess containers",
      ),
    );
  return errors;
}

const POD_FIELDS = [
  "appArmorProfile",
  "seLinuxOptions",
  "seccompProfile",
  "fsGroup",
  "fsGroupChangePolicy",
  "sysctls",
  "runAsUser",
  "runAsGroup",
  "supplementalGroups",
  "supplementalGroupsPolicy",
  "seLinuxChangePolicy",
] as const;
const SPEC_FIELDS = ["hostUsers", "hostPID", "hostIPC", "shareProcessNamespace"] as const;
const CONTAINER_FIELDS = [
  "appArmorProfile",
  "seLinuxOptions",
  "seccompProfile",
  "capabilities",
  "readOnlyRootFilesystem",
  "privileged",
  "allowPrivilegeEscalation",
  "procMount",
  "runAsUser",
  "runAsGroup",
] as const;
const SYSTEMS = ["linux", "windows"];

/** What a pod says of its operating system fits what it asks of it. */
export function validateOs(path: string, spec: PodSpec): readonly FieldError[] {
  if (spec.os === undefined) return [];
  const { name } = spec.os;
  if (!name) return [required(`${path}.os.name`)];
  if (!SYSTEMS.includes(name)) return [notSupported(`${path}.os`, name, SYSTEMS)];
  return name === "linux" ? forbidWindows(path, spec) : forbidLinux(path, spec);
}

function forbidWindows(path: string, spec: PodSpec): readonly FieldError[] {
  const detail = "windows options cannot be set for a linux pod";
  const at = (place: string) => forbidden(`${place}.securityContext.windowsOptions`, detail);
  return [
    ...(spec.securityContext?.windowsOptions === undefined ? [] : [at(path)]),
    ...containersOf(path, spec)
      .filter(([, container]) => container.securityContext?.windowsOptions !== undefined)
      .map(([place]) => at(place)),
  ];
}

function forbidLinux(path: string, spec: PodSpec): readonly FieldError[] {
  const detail = "cannot be set for a windows pod";
  const context = spec.securityContext ?? {};
  return [
    ...POD_FIELDS.filter((field) => context[field] !== undefined).map((field) =>
      forbidden(`${path}.securityContext.${field}`, detail),
    ),
    ...SPEC_FIELDS.filter((field) => spec[field] !== undefined).map((field) =>
      forbidden(`${path}.${field}`, detail),
    ),
    ...containersOf(path, spec).flatMap(([at, { securityContext = {} }]) =>
      CONTAINER_FIELDS.filter((field) => securityContext[field] !== undefined).map((field) =>
        forbidden(`${at}.securityContext.${field}`, detail),
      ),
    ),
  ];
}

type Secured = Pick<Container, "securityContext">;

function containersOf(path: string, spec: PodSpec): readonly (readonly [string, Secured])[] {
  return (["initContainers", "containers", "ephemeralContainers"] as const).flatMap((field) =>
    (spec[field] ?? []).map((container: Secured, i) => [`${path}.${field}[${i}]`, container] as const),
  );
}
