/** The flags of `twill proxy`: kube-proxy's own. */
import { hostname } from "node:os";
import { resolve } from "node:path";
import { type Cidr, parseCidr } from "#addr/cidr";
import { ComponentArgs } from "./component-args.ts";
import type { ConfigReading } from "./config.ts";
import { type KubeProxyArgs, takeKubeProxyArgs } from "./kube-proxy-args.ts";
import { commaWords } from "./kube-proxy-values.ts";
import { parseServerUrl } from "./server-url.ts";
import { ValueReader } from "./value-reader.ts";

/** Service routing alone, on a cluster that somebody else runs. */
export interface ProxyAloneConfig {
  /** Undefined is the service account of the pod this runs in. */
  readonly kubeconfig: string | undefined;
  readonly apiUrl: string | undefined;
  readonly nodeName: string;
  readonly args: KubeProxyArgs;
  /** Besides those that the API has objects of. */
  readonly serviceCidrs: readonly Cidr[];
  readonly statusSocket: string | undefined;
  /** Take away what an earlier run left, and no more. */
  readonly isCleanup: boolean;
}

/** Where the reader has them. */
const FLAG = "proxy";
const SWITCHES: ReadonlySet<string> = new Set([
  ...["bind-address-hard-fail", "cleanup", "conntrack-tcp-be-liberal", "init-only", "profiling"],
  ...["iptables-localhost-nodeports", "ipvs-strict-arp", "masquerade-all", "help", "version"],
  ...["log-json-split-stream", "log-text-split-stream"],
]);
const WORD = /^--?([A-Za-z0-9][-A-Za-z0-9]*)(?:=([\s\S]*))?$/;
const INSTEAD: Readonly<Record<string, string>> = {
  config: "files of kube-proxy's are not read; give each setting as a flag",
  "init-only": "routing needs its rights as long as it runs",
  "write-config-to": "there is no such file; every setting is a flag",
};

export function readProxyAlone(argv: readonly string[]): ConfigReading<ProxyAloneConfig> {
  const { words, problems: unread } = splitFlags(argv);
  const reader = new ValueReader(new Map([[FLAG, words]]));
  const args = new ComponentArgs(reader, FLAG, { isOwn: true });
  const kubeProxy = takeKubeProxyArgs(args);
  const config: ProxyAloneConfig = {
    // Empty is unset, as it is for kube-proxy.
    kubeconfig: args.parse("kubeconfig", (path) => (path === "" ? undefined : resolve(path))),
    apiUrl: args.parse("master", (url) => (url === "" ? undefined : parseServerUrl(url))),
    nodeName: kubeProxy.nodeName ?? hostname().toLowerCase(),
    args: kubeProxy,
    serviceCidrs: args.all("service-cidr", (text) => commaWords(text).map((word) => parseCidr(word))).flat(),
    statusSocket: args.parse("status-socket", (path) => (path === "" ? undefined : resolve(path))),
    isCleanup: args.flag("cleanup") ?? false,
  };
  for (const [name, instead] of Object.entries(INSTEAD)) args.refuse(name, instead);
  args.refuseOthers();
  const problems = [...unread, ...reader.problems];
  const { warnings } = reader;
  return problems.length > 0 ? { kind: "bad", problems, warnings } : { kind: "good", config, warnings };
}

/** As Go's programs take them: one dash or two, `--masquerade-all` and `--v=4` and `--v 4`. */
function splitFlags(argv: readonly string[]) {
  const words: string[] = [];
  const problems: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const [, name, attached] = WORD.exec(argv[i] ?? "") ?? [];
    if (name === undefined) {
      problems.push(
        `${JSON.stringify(argv[i])} is not a flag; proxy takes flags only, such as --kubeconfig=FILE`,
      );
      continue;
    }
    const value = attached ?? (SWITCHES.has(name) ? "true" : argv[++i]);
    if (value === undefined) problems.push(`--${name} needs a value`);
    else words.push(`${name}=${value}`);
  }
  return { words, problems };
}
