/** What kube-proxy makes of the kernel's connection tracking. */
import { isFault } from "#fault/fault";
import type { Sysctl } from "#kernel/kernel";
import type { Logger } from "#telemetry/log";

/** 0 leaves a setting as it is. */
export interface ConntrackSettings {
  /** Connections tracked for each processor; 0 leaves the limit, whatever `min` says. */
  readonly maxPerCore: number;
  readonly min: number;
  /** A limit that somebody made higher is lowered too: only where he said so. */
  readonly lowersMax: boolean;
  readonly tcpEstablishedSeconds: number;
  readonly tcpCloseWaitSeconds: number;
  /** Packets outside the window are let through. */
  readonly tcpBeLiberal: boolean;
  readonly udpSeconds: number;
  readonly udpStreamSeconds: number;
}

/** kube-proxy's. @see kubernetes pkg/proxy/apis/config/v1alpha1/defaults.go */
export const CONNTRACK_DEFAULTS: ConntrackSettings = {
  maxPerCore: 32 * 1024,
  min: 128 * 1024,
  lowersMax: false,
  tcpEstablishedSeconds: 24 * 3600,
  tcpCloseWaitSeconds: 3600,
  tcpBeLiberal: false,
  udpSeconds: 0,
  udpStreamSeconds: 0,
};

/** However many processors there are: a machine's memory does not grow with them. */
const MOST_TRACKED = 1_048_576;
/** Connections a bucket of the hash table should have at most. */
const PER_BUCKET = 4;
const FOLDER = "net/netfilter";

interface Tuning {
  readonly sysctl: Sysctl;
  readonly cores: number;
  readonly log: Logger;
}

/** Writes what may be written. A lab's node has the limit of its machine and cannot have another, and some kernels track nothing. */
export function tuneConntrack(settings: ConntrackSettings, { sysctl, cores, log }: Tuning): void {
  const refused: string[] = [];
  const atLeast = (name: string, value: number) => {
    if (Number(sysctl.read(`${FOLDER}/${name}`)) < value) sysctl.write(`${FOLDER}/${name}`, value);
  };
  const attempt = (what: string, write: () => void) => {
    try {
      write();
    } catch (error) {
      if (!isFault(error)) throw error;
      refused.push(`${what}: ${error.message}`);
    }
  };
  const max = mostTracked(settings, cores);
  if (max > 0) {
    attempt("nf_conntrack_max", () => {
      if (settings.lowersMax) sysctl.write(`${FOLDER}/nf_conntrack_max`, max);
      else atLeast("nf_conntrack_max", max);
    });
    attempt("nf_conntrack_buckets", () => atLeast("nf_conntrack_buckets", Math.floor(max / PER_BUCKET)));
  }
  for (const [name, value] of timeoutsOf(settings))
    attempt(name, () => sysctl.write(`${FOLDER}/${name}`, value));
  if (refused.length > 0) log.debug("connection tracking stays as it is in part", { refused });
}

/** 0: whatever it is. */
export function mostTracked({ maxPerCore, min }: ConntrackSettings, cores: number): number {
  if (maxPerCore === 0) return 0;
  const scaled = maxPerCore * cores;
  return scaled > MOST_TRACKED ? MOST_TRACKED : Math.max(scaled, min);
}

function timeoutsOf(settings: ConntrackSettings): readonly (readonly [string, number])[] {
  const named: readonly (readonly [string, number])[] = [
    ["nf_conntrack_tcp_timeout_established", settings.tcpEstablishedSeconds],
    ["nf_conntrack_tcp_timeout_close_wait", settings.tcpCloseWaitSeconds],
    ["nf_conntrack_tcp_be_liberal", settings.tcpBeLiberal ? 1 : 0],
    ["nf_conntrack_udp_timeout", settings.udpSeconds],
    ["nf_conntrack_udp_timeout_stream", settings.udpStreamSeconds],
  ];
  return named.filter(([, value]) => value > 0);
}
