import { parseDuration } from "#life/duration";
import type { Name } from "#wire/dns/name";
import { CorefileFault } from "../../corefile/fault.ts";
import type { Directive } from "../../corefile/parse.ts";
import { type BlockPlace, oneArgument, unknownProperty, wholeNumber } from "../../plugin.ts";
import { Fallthrough, zonesOr } from "../../zones-argument.ts";

export type PodMode = "disabled" | "insecure" | "verified";

/** How to reach the API when it is not the cluster this runs in. */
export interface KubeAccess {
  readonly endpoint?: string;
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
  readonly kubeconfig?: { readonly file: string; readonly context: string | undefined };
}

export interface KubernetesConfig {
  readonly zones: readonly Name[];
  /** The first zone that is not a reverse zone: what PTR records point into. */
  readonly primaryZone: Name;
  readonly access: KubeAccess;
  /** Undefined: every namespace. */
  readonly namespaces: ReadonlySet<string> | undefined;
  readonly namespaceLabels: string | undefined;
  readonly labels: string | undefined;
  readonly pods: PodMode;
  readonly usesPodNames: boolean;
  readonly ttl: number;
  readonly watchesEndpoints: boolean;
  readonly ignoresEmptyServices: boolean;
  readonly fallthrough: Fallthrough;
  readonly startupTimeoutMs: number;
}

type Draft = { -readonly [K in keyof KubernetesConfig]: KubernetesConfig[K] };

const PODS: readonly PodMode[] = ["disabled", "insecure", "verified"];
/** Limits of a client that this one does not need. */
const ACCEPTED = new Set(["apiserver_qps", "apiserver_burst", "apiserver_max_inflight"]);

export function parseKubernetes(directive: Directive, block: BlockPlace): KubernetesConfig {
  const zones = zonesOr(directive.args, directive, block.zones);
  const primaryZone = zones.find((zone) => !zone.endsWith(".arpa."));
  if (primaryZone === undefined) throw new CorefileFault(directive, "non-reverse zone name must be used");
  const draft: Draft = {
    zones,
    primaryZone,
    access: {},
    namespaces: undefined,
    namespaceLabels: undefined,
    labels: undefined,
    pods: "disabled",
    usesPodNames: false,
    ttl: 5,
    watchesEndpoints: true,
    ignoresEmptyServices: false,
    fallthrough: Fallthrough.never,
    startupTimeoutMs: 5000,
  };
  for (const line of directive.body) readLine(directive, line, draft);
  if (draft.namespaces && draft.namespaceLabels)
    throw new CorefileFault(directive, "namespaces and namespace_labels cannot both be set");
  return draft;
}

function readLine(directive: Directive, line: Directive, draft: Draft): void {
  switch (line.name) {
    case "namespaces":
      if (line.args.length === 0) throw new CorefileFault(line, "namespaces needs at least one name");
      draft.namespaces = new Set([...(draft.namespaces ?? []), ...line.args]);
      return;
    case "namespace_labels":
      draft.namespaceLabels = line.args.join(" ");
      return;
    case "labels":
      draft.labels = line.args.join(" ");
      return;
    case "pods":
      draft.pods = parsePodMode(line);
      return;
    case "endpoint_pod_names":
      draft.usesPodNames = true;
      return;
    case "ttl":
      draft.ttl = wholeNumber(line, oneArgument(line), 0, 3600);
      return;
    case "noendpoints":
      draft.watchesEndpoints = false;
      return;
    case "ignore":
      if (oneArgument(line) !== "empty_service")
        throw new CorefileFault(line, `unable to parse ignore value: ${line.args[0]}`);
      draft.ignoresEmptyServices = true;
      return;
    case "fallthrough":
      draft.fallthrough = Fallthrough.parse(line);
      return;
    case "startup_timeout":
      draft.startupTimeoutMs = parseTimeout(line);
      return;
    default:
      readAccess(directive, line, draft);
  }
}

function readAccess(directive: Directive, line: Directive, draft: Draft): void {
  const [first, second, third] = line.args;
  if (line.name === "endpoint" && first !== undefined) draft.access = { ...draft.access, endpoint: first };
  else if (line.name === "tls" && first !== undefined && second !== undefined && third !== undefined)
    draft.access = { ...draft.access, tls: { cert: first, key: second, ca: third } };
  else if (line.name === "kubeconfig" && first !== undefined)
    draft.access = { ...draft.access, kubeconfig: { file: first, context: second } };
  else if (!ACCEPTED.has(line.name)) throw unknownProperty(directive, line);
}

function parsePodMode(line: Directive): PodMode {
  const word = oneArgument(line);
  const mode = PODS.find((each) => each === word);
  if (mode === undefined)
    throw new CorefileFault(line, `wrong value for pods: ${word}, expected one of ${PODS.join(", ")}`);
  return mode;
}

function parseTimeout(line: Directive): number {
  const ms = parseDuration(oneArgument(line));
  if (ms === undefined || ms < 0) throw new CorefileFault(line, `'${line.args[0]}' is not a duration`);
  return ms;
}
