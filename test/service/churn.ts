/** A cluster whose services never rest. The steady ones always have a ready endpoint, here as well as in all, whatever else of them
 *  changes; the wild ones may be anything, and take each other's addresses. */
import { FAMILIES } from "#addr/family";
import type { ServicePort } from "#kube/generated/types";
import { nodeObject, translate } from "#service/testing/objects";
import type { Chance } from "../fabric/chance.ts";
import { NODE, OTHER_NODE, type Scene } from "./cases.ts";
import type { ObjectChange } from "./proxy-child.ts";
import { PROTOCOLS, placeOf, sceneService, sceneSlices } from "./scene-objects.ts";

export const STEADY = 5;
const WILD = 20;
const FIRST_WILD = 50;
const PODS = ["a", "b", "c", "d", "o"] as const;
const STATES = ["", "", "", "~", "!"] as const;
const TIMEOUTS = [1, 60, 3_600, 10_800] as const;
const MORE_RANGE = "192.168.43.0/24";

type Spec = Scene["service"];

interface Slot {
  readonly name: string;
  readonly index: number;
  /** Absent while it is deleted. */
  scene: Scene | undefined;
  /** When it was made last: of two that want one address the older has it. */
  createdAt: string;
}

export class ChurnedCluster {
  readonly #random: Chance;
  readonly #slots: readonly Slot[];
  #here: { zone: string | undefined; hasExternal: boolean } = { zone: "z1", hasExternal: true };
  readonly #others = new Set<number>();
  #hasMoreRange = false;
  #born = 0;

  constructor(random: Chance) {
    this.#random = random;
    const slot = (name: string, index: number): Slot => ({
      name,
      index,
      scene: undefined,
      createdAt: this.#time(),
    });
    this.#slots = [
      ...Array.from({ length: STEADY }, (_, i) => slot(`steady-${i}`, i)),
      ...Array.from({ length: WILD }, (_, i) => slot(`wild-${i}`, FIRST_WILD + i)),
    ];
    for (const each of this.#slots) each.scene = this.#isSteady(each) ? this.#steady(each) : this.#wild(each);
  }

  /** Services that always had a ready endpoint, with their index. */
  get steady(): readonly { readonly scene: Scene; readonly index: number }[] {
    return this.#slots
      .filter((slot) => this.#isSteady(slot))
      .flatMap(({ scene, index }) => (scene ? [{ scene, index }] : []));
  }

  /** Everything there is now. */
  objects(): readonly ObjectChange[] {
    return [
      ...this.#nodes(),
      ...this.#ranges("put"),
      ...this.#slots.flatMap((slot) => this.#objectsOf(slot)),
    ];
  }

  /** Something else becomes true. */
  change(): readonly ObjectChange[] {
    const dice = this.#random.below(100);
    if (dice < 4) return this.#changeNodes();
    if (dice < 6) {
      this.#hasMoreRange = !this.#hasMoreRange;
      return this.#ranges(this.#hasMoreRange ? "put" : "remove");
    }
    const slot = this.#pick(dice < 45 ? this.#slots.slice(0, STEADY) : this.#slots.slice(STEADY));
    return this.#isSteady(slot) ? this.#changeSteady(slot) : this.#changeWild(slot);
  }

  #changeSteady(slot: Slot): readonly ObjectChange[] {
    const next = this.#steady(slot);
    const before = slot.scene ?? next;
    slot.scene = this.#random.below(3) > 0 ? { ...before, endpoints: next.endpoints } : next;
    return this.#objectsOf(slot);
  }

  #changeWild(slot: Slot): readonly ObjectChange[] {
    if (slot.scene && this.#random.below(4) === 0) {
      const gone = this.#objectsOf(slot).map((change): ObjectChange => ({ ...change, do: "remove" }));
      slot.scene = undefined;
      return gone;
    }
    if (!slot.scene) slot.createdAt = this.#time();
    const next = this.#wild(slot);
    slot.scene =
      slot.scene && this.#random.below(2) === 0 ? { ...slot.scene, endpoints: next.endpoints } : next;
    return this.#objectsOf(slot);
  }

  #changeNodes(): readonly ObjectChange[] {
    const { zone, hasExternal } = this.#here;
    const dice = this.#random.below(4);
    if (dice < 2) this.#here = { zone: this.#pick(["z1", "z2", undefined]), hasExternal };
    else if (dice < 3) this.#here = { zone, hasExternal: !hasExternal };
    else {
      const number = this.#random.below(4);
      if (this.#others.delete(number)) return [{ do: "remove", kind: "nodes", object: otherNode(number) }];
      this.#others.add(number);
    }
    return this.#nodes();
  }

  #objectsOf({ scene, index, createdAt }: Slot): readonly ObjectChange[] {
    if (!scene) return [];
    const service = sceneService({ ...scene, service: { ...scene.service, createdAt } }, index);
    return [
      { do: "put", kind: "services", object: service },
      ...sceneSlices(scene).map((object): ObjectChange => ({ do: "put", kind: "slices", object })),
    ];
  }

  #nodes(): readonly ObjectChange[] {
    const { zone, hasExternal } = this.#here;
    const here = nodeObject({
      name: "here",
      internalIps: both(NODE.internal),
      externalIps: hasExternal ? both(NODE.external) : [],
      podCidrs: ["10.42.0.0/24", "fd42::/64"],
      ...(zone === undefined ? {} : { zone }),
    });
    const there = nodeObject({ name: "there", internalIps: both(OTHER_NODE) });
    const others = [...this.#others].sort().map(otherNode);
    return [here, there, ...others].map((object) => ({ do: "put", kind: "nodes", object }));
  }

  #ranges(how: "put" | "remove"): readonly ObjectChange[] {
    if (how === "put" && !this.#hasMoreRange) return [];
    const object = { metadata: { name: "more" }, spec: { cidrs: both(MORE_RANGE) } };
    return [{ do: how, kind: "serviceCidrs", object }];
  }

  #steady({ name, index }: Slot): Scene {
    const random = this.#random;
    const local = this.#pick(["a", "b"]);
    const more = this.#endpoints().filter((word) => !word.startsWith(local));
    return {
      name,
      endpoints: this.#hinted([local, ...more]).join(" "),
      service: this.#steadySpec(index, random),
      rows: [],
    };
  }

  #steadySpec(index: number, random: Chance): Spec {
    const { port } = placeOf({ name: "", service: {}, endpoints: "", rows: [] }, index);
    const own = PROTOCOLS.map(
      (protocol): ServicePort => ({ name: protocol, port, protocol: protocol.toUpperCase() }),
    );
    const extra: ServicePort = { name: "extra", port: 7_900, protocol: "TCP", nodePort: 30_500 + index };
    return {
      type: "LoadBalancer",
      ingress: "VIP",
      externalIPs: ["EXTERNAL"],
      ports: random.below(3) === 0 ? [...own, extra] : own,
      ...this.#policies(),
    };
  }

  #policies(): Partial<Spec> {
    const random = this.#random;
    const policy = () => (random.below(3) === 0 ? "Local" : "Cluster");
    return {
      externalTrafficPolicy: policy(),
      internalTrafficPolicy: policy(),
      ...(random.below(3) === 0
        ? {
            sessionAffinity: "ClientIP",
            sessionAffinityConfig: { clientIP: { timeoutSeconds: this.#pick(TIMEOUTS) } },
          }
        : {}),
      ...(random.below(5) === 0 ? { annotations: { "service.twill.io/client-address": "masquerade" } } : {}),
    };
  }

  #wild({ name }: Slot): Scene {
    const random = this.#random;
    const type = this.#pick(["ClusterIP", "NodePort", "LoadBalancer", "LoadBalancer", "ExternalName"]);
    const port = 7_000 + random.below(3);
    const ports: readonly ServicePort[] = [
      {
        name: "one",
        port,
        protocol: this.#pick(["TCP", "UDP", "SCTP"]),
        ...(type === "LoadBalancer" ? { nodePort: 31_500 + random.below(4) } : {}),
      },
      ...(random.below(2) === 0 ? [{ name: "two", port: port + 10, protocol: "TCP" }] : []),
    ];
    const service: Spec = {
      type,
      ports,
      ...this.#policies(),
      // Which of two services that want one address is heard of first after a restart may cost the other its clients' affinity.
      ...(type === "LoadBalancer" ? { sessionAffinity: "None" } : {}),
      ...(type === "LoadBalancer"
        ? { ingress: [this.#pick(["192.168.7.200", "192.168.7.201", NODE.internal])] }
        : {}),
      ...(random.below(3) === 0
        ? { loadBalancerSourceRanges: [this.#pick(["192.168.8.0/24", "192.168.9.0/24", "10.0.0.0/8"])] }
        : {}),
      ...(random.below(10) === 0 ? { labels: { "service.kubernetes.io/service-proxy-name": "mesh" } } : {}),
    };
    return { name, service, endpoints: this.#hinted(this.#endpoints()).join(" "), rows: [] };
  }

  #endpoints(): readonly string[] {
    const random = this.#random;
    return PODS.filter(() => random.below(2) === 0).map(
      (name) => `${name}${random.below(6) === 0 ? ":8081" : ""}${this.#pick(STATES)}`,
    );
  }

  /** Hints count only if all have them. */
  #hinted(words: readonly string[]): readonly string[] {
    if (this.#random.below(4) > 0) return words;
    return words.map((word) => `${word.charAt(0)}@z${1 + this.#random.below(2)}${word.slice(1)}`);
  }

  #isSteady({ index }: Slot): boolean {
    return index < STEADY;
  }

  #pick<T>(list: readonly T[]): T {
    const picked = list[this.#random.below(list.length)];
    if (picked === undefined && !list.includes(picked as T)) throw new Error("nothing to pick from");
    return picked as T;
  }

  /** Later than any before. */
  #time(): string {
    return new Date(Date.UTC(2026, 0, 1) + 1_000 * this.#born++).toISOString();
  }
}

function both(text: string): readonly string[] {
  return FAMILIES.map((family) => translate(text, family));
}

function otherNode(number: number) {
  return nodeObject({ name: `other-${number}`, internalIps: both(`192.168.3.${number + 1}`) });
}
