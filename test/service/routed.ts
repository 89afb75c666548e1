/** The proxy, run over a kernel with objects put by hand, and the program as it then stands there: what was loaded as text, and
 *  the elements read back. */
import { parseCidr } from "#addr/cidr";
import { FAMILIES, FAMILY, type Family } from "#addr/family";
import type { Fault } from "#fault/fault";
import type { EndpointSlice, Node, Service, ServiceCIDR } from "#kube/generated/types";
import { type Clock, systemClock } from "#life/clock";
import { decodeElement } from "#service/element-codec";
import type { ServiceConfig } from "#service/model";
import type { ServiceProblem } from "#service/problems";
import { runServiceProxy, type ServiceProxyOptions } from "#service/run";
import { SET_NAMES } from "#service/sets";
import { TEST_CONFIG } from "#service/testing/config";
import { MemoryInformer } from "#service/testing/memory-informer";
import { translate } from "#service/testing/objects";
import { silentLog } from "#telemetry/log";
import type { Scene, Setting, SettingConfig } from "./cases.ts";
import { sceneNodes, sceneService, sceneSlices } from "./scene-objects.ts";
import { Ruleset } from "./walk/ruleset.ts";

const TABLE = "twill-service";

export interface RoutedOptions {
  readonly config?: ServiceConfig;
  readonly clock?: Clock;
  /** What former runs loaded, which this one may find standing; it adds what it loads. */
  readonly texts?: string[];
}

export type RoutedKernel = ServiceProxyOptions["kernel"];

/** Routes until disposed of; the program stays. */
export class Routed implements AsyncDisposable {
  readonly services = new MemoryInformer<Service>();
  readonly slices = new MemoryInformer<EndpointSlice>();
  readonly nodes = new MemoryInformer<Node>();
  readonly serviceCidrs = new MemoryInformer<ServiceCIDR>();
  readonly faults: Fault[] = [];
  problems: readonly ServiceProblem[] = [];
  readonly #kernel: RoutedKernel;
  readonly #texts: string[];
  readonly #parsed = new Map<Family, { texts: number; ruleset: Ruleset }>();
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  #round = Promise.withResolvers<{ ops: number }>();

  constructor(
    kernel: RoutedKernel,
    { config = TEST_CONFIG, clock = systemClock, texts = [] }: RoutedOptions = {},
  ) {
    this.#kernel = kernel;
    this.#texts = texts;
    this.#running = runServiceProxy({
      kernel: recorded(kernel, this.#texts),
      services: this.services,
      endpointSlices: this.slices,
      nodes: this.nodes,
      serviceCidrs: this.serviceCidrs,
      nodeName: "here",
      config,
      clock,
      log: silentLog,
      signal: this.#ending.signal,
      onProblems: (problems) => {
        this.problems = problems;
      },
      onRound: ({ ops, faults, hasMore }) => {
        this.faults.push(...faults);
        if (hasMore) return;
        const round = this.#round;
        this.#round = Promise.withResolvers();
        round.resolve({ ops });
      },
    });
  }

  /** Makes changes and waits for the round that carries them out. */
  async change(f: () => void): Promise<{ ops: number }> {
    const { promise } = this.#round;
    f();
    return promise;
  }

  /** One more round, begun after everything that was put before. */
  async again(): Promise<void> {
    const [service] = this.services.list();
    if (service) await this.change(() => this.services.put(service));
  }

  start(): Promise<{ ops: number }> {
    return this.change(() => {
      for (const informer of [this.services, this.slices, this.nodes, this.serviceCidrs]) informer.sync();
    });
  }

  /** The program loaded in this run, or found, and the elements that stand now. */
  table(family: Family): Ruleset {
    const { nft } = FAMILY[family];
    const loaded = this.#loaded(family).emptied();
    const lines = SET_NAMES.flatMap((set) =>
      this.#kernel.nft.listElements({ family: nft, table: TABLE, set }).map((raw) => {
        const { key, data } = decodeElement(family, set, raw);
        return `add element ${nft} ${TABLE} ${set} { ${key}${data === "" ? "" : ` : ${data}`} }\n`;
      }),
    );
    return loaded.run(lines.join(""));
  }

  /** Read anew only where more was loaded since. */
  #loaded(family: Family): Ruleset {
    const known = this.#parsed.get(family);
    if (known?.texts === this.#texts.length) return known.ruleset;
    const ruleset = new Ruleset(`${FAMILY[family].nft} ${TABLE}`).run(this.#texts.join(""));
    this.#parsed.set(family, { texts: this.#texts.length, ruleset });
    return ruleset;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }
}

/** The same kernel, whose nft texts are also kept. */
function recorded(kernel: RoutedKernel, texts: string[]): RoutedKernel {
  const { nft } = kernel;
  const run = (text: string) => {
    nft.run(text);
    texts.push(text.endsWith("\n") ? text : `${text}\n`);
  };
  return withOther(kernel, { nft: withOther(nft, { run }) });
}

/** The same object, but for these of its properties. */
function withOther<T extends object>(object: T, other: Partial<T>): T {
  return new Proxy(object, {
    get: (target, name) => {
      const value: unknown = Reflect.get(name in other ? other : target, name);
      return typeof value === "function" && !(name in other) ? value.bind(target) : value;
    },
  });
}

/** All scenes of a setting, routed. */
export async function routeSetting(
  kernel: RoutedKernel,
  { config, scenes }: Setting,
  options: Omit<RoutedOptions, "config"> = {},
): Promise<Routed> {
  const routed = new Routed(kernel, { ...options, config: configOf(config) });
  for (const node of sceneNodes()) routed.nodes.put(node);
  for (const [i, cidr] of (config.moreServiceCidrs ?? []).entries())
    routed.serviceCidrs.put({
      metadata: { name: `more-${i}` },
      spec: { cidrs: FAMILIES.map((family) => translate(cidr, family)) },
    });
  for (const [i, scene] of scenes.entries()) {
    routed.services.put(sceneService(scene, i));
    for (const slice of sceneSlices(scene)) routed.slices.put(slice);
  }
  await routed.start();
  return routed;
}

const RESERVED = [{ protocol: "tcp", port: 6443, why: "the Kubernetes API" }] as const;

function configOf({
  masqueradeAll,
  localPods,
  nodePortAddresses,
  localhostNodePorts,
}: SettingConfig): ServiceConfig {
  const cidrs = (texts: readonly string[]) =>
    texts.flatMap((text) => FAMILIES.map((family) => parseCidr(translate(text, family))));
  return {
    ...TEST_CONFIG,
    reservedPorts: RESERVED,
    ...(masqueradeAll === undefined ? {} : { masqueradeAll }),
    ...(localhostNodePorts === undefined ? {} : { localhostNodePorts }),
    ...(localPods === undefined ? {} : { localPods: localPodsOf(localPods) }),
    ...(nodePortAddresses === undefined
      ? {}
      : { nodePortAddresses: { ...nodePortAddresses, cidrs: cidrs(nodePortAddresses.cidrs) } }),
  };
}

function localPodsOf(wanted: NonNullable<SettingConfig["localPods"]>): ServiceConfig["localPods"] {
  switch (wanted.kind) {
    case "none":
    case "node-cidrs":
      return { kind: wanted.kind };
    default:
      return wanted;
  }
}

/** Makes the objects of a story's step what the API has. */
export function putScenes(
  routed: Pick<Routed, "services" | "slices">,
  scenes: readonly (Scene & { readonly isAbsent: boolean })[],
): void {
  for (const [i, scene] of scenes.entries()) {
    const service = sceneService(scene, i);
    if (scene.isAbsent) routed.services.remove(service);
    else routed.services.put(service);
    for (const slice of sceneSlices(scene))
      if (scene.isAbsent) routed.slices.remove(slice);
      else routed.slices.put(slice);
  }
}
