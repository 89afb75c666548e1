import { isFault } from "#fault/fault";
import type { CustomResourceDefinition } from "#kube/generated/types";
import { CUSTOM_RESOURCE_DEFINITIONS } from "#kube/resources";
import type { Api } from "../api.ts";
import { sameJson } from "../json.ts";
import { CLEANUP } from "../kinds/extension/custom-resource-definition.ts";
import type { Draft } from "../kinds/kind.ts";
import { metadataOf } from "../verbs/metadata.ts";
import { ownWrite } from "../verbs/own-write.ts";
import { approvalOf } from "./approval.ts";
import { removeObjects } from "./cleanup.ts";
import { conditionOf, isTrue, type NextCondition, setCondition } from "./conditions.ts";
import { nameOf } from "./names.ts";
import type { CustomKinds } from "./registry.ts";

const RETRY_MS = 1000;

/** Brings definitions on their way: names are given, kinds established, and of those that are being deleted the objects removed first.
 *  One definition at a time, so that no name is given twice. */
export class Lifecycle {
  readonly #api: Api;
  readonly #kinds: CustomKinds;
  readonly #waiting = new Set<string>();
  readonly #finishing = new Set<string>();
  #wake: () => void = () => {};

  constructor(api: Api, kinds: CustomKinds) {
    this.#api = api;
    this.#kinds = kinds;
  }

  /** Runs until the server closes. */
  async run(): Promise<void> {
    const { world, signal } = this.#api;
    const { group, plural } = CUSTOM_RESOURCE_DEFINITIONS;
    const cache = world.cacheOf(group, plural);
    if (cache === undefined) return;
    for (const { metadata } of cache.objects()) this.#waiting.add(metadata.name);
    const leave = cache.subscribe({ deliver: ({ key, after }) => this.#notice(key, after === undefined) });
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    try {
      while (!signal.aborted) {
        const [name] = this.#waiting;
        if (name === undefined) await new Promise<void>((wake) => (this.#wake = wake));
        else await this.#sync(name);
      }
    } finally {
      leave();
    }
  }

  /** A definition that has gone has freed its names for all others. */
  #notice(name: string, isGone: boolean): void {
    this.#waiting.add(name);
    if (isGone) for (const { metadata } of this.#definitions()) this.#waiting.add(metadata.name);
    this.#wake();
  }

  #definitions(): readonly CustomResourceDefinition[] {
    return this.#api.world.list(CUSTOM_RESOURCE_DEFINITIONS);
  }

  async #sync(name: string): Promise<void> {
    this.#waiting.delete(name);
    const definition = this.#api.world.read(CUSTOM_RESOURCE_DEFINITIONS, undefined, name);
    if (definition === undefined) return;
    try {
      if (definition.metadata.deletionTimestamp === undefined) await this.#establish(definition);
      else if (definition.metadata.finalizers?.includes(CLEANUP)) void this.#finish(definition);
    } catch (error) {
      await this.#again(name, error);
    }
  }

  async #again(name: string, error: unknown): Promise<void> {
    const { log, clock, signal } = this.#api;
    if (signal.aborted) return;
    if (!isFault(error) || (error.code !== "Conflict" && error.code !== "NotFound"))
      log.warn("a custom resource definition could not be brought on its way", { name, error });
    await clock.sleep(RETRY_MS, { signal }).catch(() => {});
    this.#waiting.add(name);
    this.#wake();
  }

  async #establish(definition: CustomResourceDefinition): Promise<void> {
    const next = structuredClone(definition) as Draft;
    this.#name(next, definition);
    this.#approve(next, definition);
    if (sameJson(next.status, definition.status)) return;
    await this.#write(definition.metadata.name, (draft) => {
      draft.status = { ...draft.status, ...next.status, storedVersions: draft.status?.storedVersions };
    });
    if (!sameJson(next.status.acceptedNames, definition.status?.acceptedNames))
      for (const { metadata } of this.#definitions()) this.#notice(metadata.name, false);
  }

  /** Names and the conditions that follow from them. */
  #name(next: Draft, definition: CustomResourceDefinition): void {
    const now = this.#api.clock.now();
    const { spec, metadata } = definition;
    const others = this.#definitions().filter(
      (other) => other.spec.group === spec.group && other.metadata.name !== metadata.name,
    );
    const { accepted, conflict } = nameOf(definition, others);
    next.status = { ...next.status, acceptedNames: accepted };
    const set = (condition: Omit<NextCondition, "now">) => setCondition(next, { ...condition, now });
    if (conflict === undefined)
      set({ type: "NamesAccepted", status: "True", reason: "NoConflicts", message: "no conflicts found" });
    else set({ type: "NamesAccepted", status: "False", ...conflict });
    if (isTrue(definition, "Established")) return;
    if (conflict === undefined)
      set({
        type: "Established",
        status: "True",
        reason: "InitialNamesAccepted",
        message: "the initial names have been accepted",
      });
    else
      set({
        type: "Established",
        status: "False",
        reason: "NotAccepted",
        message: "not all names are accepted",
      });
  }

  #approve(next: Draft, definition: CustomResourceDefinition): void {
    const approval = approvalOf(definition);
    if (approval === undefined) return;
    const reason = {
      approved: "ApprovedAnnotation",
      bypassed: "UnapprovedAnnotation",
      missing: "MissingAnnotation",
      invalid: "InvalidAnnotation",
    }[approval.state];
    setCondition(next, {
      type: "KubernetesAPIApprovalPolicyConformant",
      status: approval.state === "approved" ? "True" : "False",
      reason,
      message: approval.reason,
      now: this.#api.clock.now(),
    });
  }

  /** Removes the objects, then lets the definition go. Takes its own time: others are not kept waiting. */
  async #finish(definition: CustomResourceDefinition): Promise<void> {
    const { name } = definition.metadata;
    if (this.#finishing.has(name)) return;
    this.#finishing.add(name);
    try {
      await this.#removeAll(definition);
    } catch (error) {
      void this.#again(name, error);
    } finally {
      this.#finishing.delete(name);
    }
  }

  async #removeAll(definition: CustomResourceDefinition): Promise<void> {
    const { name } = definition.metadata;
    const now = () => this.#api.clock.now();
    const terminating = (reason: string, message: string, status: "True" | "False" = "True") =>
      this.#write(name, (draft) =>
        setCondition(draft, { type: "Terminating", status, reason, message, now: now() }),
      );
    if (conditionOf(definition, "Terminating")?.reason !== "InstanceDeletionCompleted") {
      await terminating("InstanceDeletionInProgress", "CustomResource deletion is in progress");
      if (isTrue(definition, "Established") && !this.#kinds.isBuiltIn(definition)) {
        const left = await removeObjects(this.#api, definition);
        if (left !== undefined) {
          await terminating("InstanceDeletionCheck", left);
          throw new Error(left);
        }
      }
      await terminating("InstanceDeletionCompleted", "removed all instances", "False");
    }
    await this.#write(name, (draft) => {
      const metadata = metadataOf(draft);
      const finalizers = (draft.metadata.finalizers ?? []).filter((each: string) => each !== CLEANUP);
      if (finalizers.length > 0) metadata["finalizers"] = finalizers;
      else delete metadata["finalizers"];
    });
  }

  async #write(name: string, change: (draft: Draft) => void): Promise<void> {
    const { world, writer } = this.#api;
    const { group, plural } = CUSTOM_RESOURCE_DEFINITIONS;
    const cache = world.cacheOf(group, plural);
    if (cache === undefined) return;
    const request = ownWrite(cache, undefined, "status");
    await writer.update(request, name, (live) => {
      const draft = live.draft();
      change(draft);
      return { draft };
    });
  }
}
