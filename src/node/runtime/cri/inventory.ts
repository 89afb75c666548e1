import type { Clock } from "#life/clock";
import type { CriChannel } from "./channel.ts";
import { hasStatus } from "./cri-fault.ts";
import type { Container, ContainerStatus, PodSandbox } from "./generated/types.ts";
import { LABEL } from "./names.ts";
import { type ContainerRecord, type PodRecord, podUidOf, type SandboxRecord } from "./records.ts";
import { terminationMessage } from "./termination.ts";

/** That the kernel's killer was at work may be known only after the end is. */
const SETTLING_NANOS = 3_000_000_000n;

interface Lists {
  readonly sandboxes: readonly PodSandbox[];
  readonly containers: readonly Container[];
}

/** What the runtime has, as last listed. Nothing is ever concluded from a list that was not answered: what was known stays true. */
export class Inventory {
  readonly #channel: CriChannel;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #pods = new Map<string, PodRecord>();
  /** Of which list each pod's record is; an older list that is answered late changes nothing. */
  readonly #listedIn = new Map<string, number>();
  readonly #listeners = new Set<(podUid: string) => void>();
  #lists = 0;

  constructor({ channel, clock, signal }: { channel: CriChannel; clock: Clock; signal: AbortSignal }) {
    this.#channel = channel;
    this.#clock = clock;
    this.#signal = signal;
  }

  uids(): readonly string[] {
    return [...this.#pods.keys()];
  }

  pod(uid: string): PodRecord | undefined {
    return this.#pods.get(uid);
  }

  /** The pod that has the container or sandbox. */
  ownerOf(id: string): string | undefined {
    for (const { uid, containers, sandboxes } of this.#pods.values())
      if (
        containers.some(({ listed }) => listed.id === id) ||
        sandboxes.some(({ listed }) => listed.id === id)
      )
        return uid;
    return undefined;
  }

  /** Equal as long as there is no news of the pod. */
  outline(uid: string): string {
    return outline(this.#pods.get(uid));
  }

  /** Hears of pods of which a container started, ended or went, or the sandbox changed. */
  subscribe(listener: (podUid: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Looks at one pod anew. @throws {CriFault} */
  async refresh(uid: string): Promise<PodRecord | undefined> {
    const number = ++this.#lists;
    await this.#take(uid, await this.#list({ [LABEL.podUid]: uid }), number);
    return this.#pods.get(uid);
  }

  /** Looks at everything anew. @throws {CriFault} */
  async relist(): Promise<void> {
    const number = ++this.#lists;
    const lists = await this.#list({});
    const byPod = new Map<string, { sandboxes: PodSandbox[]; containers: Container[] }>();
    const of = (uid: string) => {
      const found = byPod.get(uid) ?? { sandboxes: [], containers: [] };
      byPod.set(uid, found);
      return found;
    };
    for (const uid of this.#listedIn.keys()) of(uid);
    for (const sandbox of lists.sandboxes) of(podUidOf(sandbox)).sandboxes.push(sandbox);
    for (const container of lists.containers)
      of(container.labels[LABEL.podUid] ?? "").containers.push(container);
    byPod.delete("");
    const taken = await Promise.allSettled([...byPod].map(([uid, own]) => this.#take(uid, own, number)));
    for (const result of taken) if (result.status === "rejected") throw result.reason;
  }

  async #list(labelSelector: Readonly<Record<string, string>>): Promise<Lists> {
    const options = { signal: this.#signal };
    const [{ items }, { containers }] = await Promise.all([
      this.#channel.call("ListPodSandbox", { filter: { labelSelector } }, options),
      this.#channel.call("ListContainers", { filter: { labelSelector } }, options),
    ]);
    return { sandboxes: items, containers };
  }

  async #take(uid: string, lists: Lists, number: number): Promise<void> {
    const before = this.#pods.get(uid);
    const [sandboxes, containers] = await Promise.all([
      Promise.all(lists.sandboxes.map((listed) => this.#sandbox(listed, before))),
      Promise.all(lists.containers.map((listed) => this.#container(listed, before))),
    ]);
    if (number < (this.#listedIn.get(uid) ?? 0)) return;
    const after: PodRecord = {
      uid,
      sandboxes: newestFirst(sandboxes.filter((record) => record !== undefined)),
      containers: newestFirst(containers.filter((record) => record !== undefined)),
    };
    const isGone = after.sandboxes.length === 0 && after.containers.length === 0;
    if (isGone && !before) this.#listedIn.delete(uid);
    else this.#listedIn.set(uid, number);
    if (isGone) this.#pods.delete(uid);
    else this.#pods.set(uid, after);
    if (outline(before) !== outline(after)) for (const listener of this.#listeners) listener(uid);
  }

  async #sandbox(listed: PodSandbox, before: PodRecord | undefined): Promise<SandboxRecord | undefined> {
    const known = before?.sandboxes.find((record) => record.listed.id === listed.id);
    if (known?.status && known.listed.state === listed.state && hasAddress(known)) return known;
    const answer = await this.#unlessGone(
      this.#channel.call("PodSandboxStatus", { podSandboxId: listed.id }, { signal: this.#signal }),
    );
    if (!answer?.status) return undefined;
    // Once it is not ready the runtime no longer tells the addresses that the pod had.
    const network = answer.status.network?.ip ? answer.status.network : known?.status?.network;
    return { listed, status: { ...answer.status, network } };
  }

  async #container(listed: Container, before: PodRecord | undefined): Promise<ContainerRecord | undefined> {
    const known = before?.containers.find((record) => record.listed.id === listed.id);
    if (known && known.listed.state === listed.state && this.#isSettled(known.status)) return known;
    if (listed.state === "CONTAINER_CREATED") return { listed, status: undefined, message: "" };
    const answer = await this.#unlessGone(
      this.#channel.call("ContainerStatus", { containerId: listed.id }, { signal: this.#signal }),
    );
    if (!answer?.status) return undefined;
    const { status } = answer;
    const message = status.state === "CONTAINER_EXITED" ? await terminationMessage(status) : "";
    return { listed: { ...listed, state: status.state }, status, message };
  }

  #isSettled(status: ContainerStatus | undefined): boolean {
    if (status?.state !== "CONTAINER_EXITED" || status.reason !== "Error") return true;
    return BigInt(this.#clock.now()) * 1_000_000n - status.finishedAt > SETTLING_NANOS;
  }

  /** Removed between the list and the question. */
  async #unlessGone<T>(answer: Promise<T>): Promise<T | undefined> {
    try {
      return await answer;
    } catch (error) {
      if (hasStatus(error, "NotFound")) return undefined;
      throw error;
    }
  }
}

function hasAddress({ listed, status }: SandboxRecord): boolean {
  return (
    listed.state !== "SANDBOX_READY" || isHostNetwork({ listed, status }) || Boolean(status?.network?.ip)
  );
}

function isHostNetwork({ status }: SandboxRecord): boolean {
  return status?.linux?.namespaces?.options?.network === "NODE";
}

function newestFirst<T extends { readonly listed: { readonly createdAt: bigint } }>(records: T[]): T[] {
  return records.sort((a, b) => Number(b.listed.createdAt - a.listed.createdAt));
}

/** What is news to whoever looks after a pod. A container that was created and not started is none: whoever did it knows. */
function outline(pod: PodRecord | undefined): string {
  const sandboxes = pod?.sandboxes.map(({ listed, status }) => [
    listed.id,
    listed.state,
    status?.network?.ip,
  ]);
  const containers = pod?.containers
    .filter(({ listed }) => listed.state !== "CONTAINER_CREATED")
    .map(({ listed, status }) => [listed.id, listed.state, status?.reason]);
  return JSON.stringify([sandboxes ?? [], containers ?? []]);
}
