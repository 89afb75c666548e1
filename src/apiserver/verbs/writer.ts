import type { KubeObject } from "#kube/object";
import type { Clock } from "#life/clock";
import type { Admission, AdmissionRequest } from "../admit.ts";
import { type FieldOwner, recordUpdate } from "../apply/managed-fields.ts";
import { objectKey, type ResourceCache } from "../cache/resource-cache.ts";
import { Stored } from "../cache/stored.ts";
import type { World } from "../cache/world.ts";
import { toGoForm } from "../codec/go-form.ts";
import { type JsonObject, objectAt, textAt } from "../json.ts";
import { validateMeta, validateMetaUpdate } from "../kinds/field/meta.ts";
import type { FieldError, KindSpec, WriteContext } from "../kinds/kind.ts";
import { typeOf } from "../schema.ts";
import {
  alreadyExists,
  conflict,
  invalidObject,
  nameNotMade,
  notFound,
  StatusFault,
  terminating,
} from "../status.ts";
import { AdmissionLinks } from "./admission-links.ts";
import { nothingHolds } from "./holds.ts";
import { KeyedLock } from "./lock.ts";
import { countGeneration, generateName, keepMetadata, metadataOf, stampNew } from "./metadata.ts";
import {
  asObject,
  type Change,
  checkNamespace,
  converted,
  isMain,
  isPart,
  isSame,
  show,
  specOf,
  type WriteRequest,
  type Written,
} from "./write-request.ts";

/** A kubelet creates its Node complete with addresses and capacity. */
const REGISTERS_WITH_STATUS = new Set(["Node"]);
/** What is written through these is no change of what was asked for: a pod keeps its generation when it gets its node. */
const UNCOUNTED: ReadonlySet<string | undefined> = new Set(["status", "binding"]);
const ATTEMPTS = 6;
const NAME_ATTEMPTS = 8;

/** Every write to the store goes through here: defaults, admission, validation, allocation, one compare-and-swap. */
export class Writer {
  readonly #world: World;
  readonly #clock: Clock;
  readonly #links: AdmissionLinks;
  readonly #lock = new KeyedLock();

  constructor(world: World, options: { readonly clock: Clock; readonly admission: readonly Admission[] }) {
    this.#world = world;
    this.#clock = options.clock;
    this.#links = new AdmissionLinks(options.admission);
  }

  context(request: Pick<WriteRequest, "user" | "dryRun" | "warn" | "annotate" | "options">): WriteContext {
    return {
      clock: this.#clock,
      user: request.user,
      dryRun: request.dryRun,
      read: (resource, namespace, name) => this.#world.read(resource, namespace, name),
      list: (resource, namespace) => this.#world.list(resource, namespace),
      warn: request.warn,
      ...(request.annotate === undefined ? {} : { annotate: request.annotate }),
      ...(request.options === undefined ? {} : { options: request.options }),
    };
  }

  /** Creates an object, under a generated name if it brings none. @throws {StatusFault} */
  async create(
    request: WriteRequest,
    draft: JsonObject,
    options: { fieldsAreSet?: boolean } = {},
  ): Promise<Written> {
    const metadata = metadataOf(draft);
    const base = textAt(metadata, "name") ? undefined : textAt(metadata, "generateName");
    const context = this.context(request);
    await this.#prepareNew(request, draft, context, options);
    for (let attempt = 1; ; attempt++) {
      if (base !== undefined) metadata["name"] = generateName(base);
      try {
        return await this.#insert(request, draft, context);
      } catch (error) {
        const isTaken = error instanceof StatusFault && error.code === "AlreadyExists";
        if (isTaken && (textAt(metadata, "generateName") ?? "") !== "") {
          if (base === undefined || attempt === NAME_ATTEMPTS)
            throw nameNotMade(specOf(request).resource, textAt(metadata, "name") ?? "");
        } else throw error;
      }
    }
  }

  /** Changes an object that exists. @throws {StatusFault} NotFound, Conflict, Invalid, ... */
  async update(request: WriteRequest, name: string, change: Change): Promise<Written> {
    const key = objectKey(request.namespace, name);
    const { subresource, namespace } = request;
    const spec = specOf(request);
    const waits =
      request.view?.waits === true ||
      this.#links.waits({
        spec,
        operation: "update",
        subresource,
        namespace,
        ...(request.isJudged === undefined ? {} : { isJudged: request.isJudged }),
      });
    const attempts = async () => {
      for (let attempt = 1; ; attempt++) {
        const stored = request.cache.get(key);
        if (stored === undefined) throw notFound(spec.resource, name);
        const shown = await show(request, stored);
        const isStale = request.view?.isStale(stored, shown) === true;
        const written = await this.#replace(request, shown, change(shown), { waits, isStale });
        if (written !== undefined) return written;
        if (attempt === ATTEMPTS) throw conflict(spec.resource, name);
      }
    };
    return waits ? await attempts() : await this.#exclusive(request.cache, key, attempts);
  }

  /** Removes an object that nothing holds any more. @throws {StatusFault} Conflict when it changed meanwhile */
  async remove(request: WriteRequest, stored: Stored): Promise<Written> {
    const { cache } = request;
    if (!request.dryRun) {
      const result = await this.#world.write(cache, {
        key: stored.key,
        value: undefined,
        expected: stored.revision,
      });
      if (result.kind === "conflict") throw conflict(cache.spec.resource, stored.object.metadata.name);
      cache.spec.settle?.(stored.object.metadata, undefined);
      return {
        stored: new Stored(stored.key, result.revision, cache.format.at(stored, result.revision)),
        isGone: true,
      };
    }
    return { stored, isGone: true };
  }

  /** Stores a draft that only the server itself has changed: no defaults, no admission. @throws {StatusFault} Conflict */
  async mark(request: WriteRequest, stored: Stored, draft: JsonObject): Promise<Written> {
    return await this.#exclusive(request.cache, stored.key, async () => {
      const written = await this.#store(
        request,
        { key: stored.key, draft, stored, value: undefined },
        this.context(request),
      );
      if (written === undefined) throw conflict(request.cache.spec.resource, stored.object.metadata.name);
      return written;
    });
  }

  /** Runs admission for a delete. */
  async admitDelete(request: WriteRequest, stored: Stored): Promise<void> {
    const admission: AdmissionRequest = {
      ...this.#admissionOf(request, stored.draft(), stored.object),
      operation: "delete",
      ...(request.isOneOfMany ? { name: "" } : {}),
    };
    await this.#links.runBoth(admission, this.context(request));
  }

  /** Runs admission for a connection to an object, such as an exec; `options` say what it is to be. */
  async admitConnect(request: WriteRequest, options: JsonObject, stored: Stored): Promise<void> {
    const { name } = stored.object.metadata;
    const admission = this.#admissionOf(request, options, undefined);
    await this.#links.runBoth({ ...admission, operation: "connect", name }, this.context(request));
  }

  /** Runs the checking half of admission for something that is not stored, such as a token request. */
  async admitOther(request: WriteRequest, draft: JsonObject, stored: Stored): Promise<void> {
    const admission: AdmissionRequest = {
      ...this.#admissionOf(request, draft, stored.object),
      operation: "create",
    };
    const { name } = stored.object.metadata;
    await this.#links.run("validate", { ...admission, name }, this.context(request));
  }

  /** Asks webhooks and policies about something that is not stored as it comes, and that they may change: a binding, an eviction. */
  async admitWhole(request: WriteRequest, whole: JsonObject, name: string): Promise<void> {
    const admission = this.#admissionOf(request, whole, undefined);
    await this.#links.runDynamic({ ...admission, name }, this.context(request));
  }

  /** Runs `work` while nobody else writes this object. */
  async exclusive<T>(cache: ResourceCache, key: string, work: () => Promise<T>): Promise<T> {
    return await this.#exclusive(cache, key, work);
  }

  async #prepareNew(
    request: WriteRequest,
    draft: JsonObject,
    context: WriteContext,
    options: { fieldsAreSet?: boolean },
  ): Promise<void> {
    const spec = specOf(request);
    stampNew(draft, { spec, namespace: request.namespace, now: this.#clock.now() });
    spec.defaults?.(draft, context);
    if (spec.hasStatus && !REGISTERS_WITH_STATUS.has(spec.resource.kind)) delete draft["status"];
    if (!options.fieldsAreSet) recordUpdate(draft, undefined, this.#owner(request));
    await this.#links.run("mutate", this.#admissionOf(request, draft, undefined), context);
    checkNamespace(draft, request.namespace);
    spec.defaults?.(draft, context);
    spec.prepareCreate?.(draft, context);
    toGoForm(draft, typeOf(spec));
  }

  async #insert(request: WriteRequest, draft: JsonObject, context: WriteContext): Promise<Written> {
    const { cache } = request;
    const spec = specOf(request);
    // Refused below; until then every check may count on its being text.
    metadataOf(draft)["name"] ??= "";
    const object = asObject(draft);
    this.#refuse(request, object, [
      ...validateMeta(spec, object),
      ...(spec.validate?.(object, context) ?? []),
      ...(spec.validateCreate?.(object, context) ?? []),
    ]);
    for (const text of spec.warnings?.(object, undefined) ?? []) request.warn(text);
    const admission = this.#admissionOf(request, draft, undefined);
    await this.#links.run("validate", admission, context);
    using _reserved = this.#links.reserve(admission, context);
    const key = objectKey(request.namespace, object.metadata.name);
    const value = await converted(request, draft);
    return await this.#exclusive(cache, key, async () => {
      const existing = cache.get(key);
      if (existing !== undefined) throw this.#taken(existing, spec, object.metadata.name);
      const written = await this.#store(request, { key, draft, stored: undefined, value }, context);
      if (written === undefined) throw alreadyExists(spec.resource, object.metadata.name);
      return written;
    });
  }

  #taken(existing: Stored, spec: KindSpec, name: string): StatusFault {
    const isGoing = existing.object.metadata.deletionTimestamp !== undefined;
    return alreadyExists(spec.resource, name, isGoing ? "object is being deleted: " : "");
  }

  /** One attempt; undefined when someone else wrote first. `waits`: nobody is kept out yet. `isStale`: what is stored is not how the same
   *  object would be stored today, so that writing it again is a change. */
  async #replace(
    request: WriteRequest,
    stored: Stored,
    { draft, fieldsAreSet }: ReturnType<Change>,
    { waits, isStale }: { readonly waits: boolean; readonly isStale: boolean },
  ): Promise<Written | undefined> {
    const spec = specOf(request);
    const context = this.context(request);
    keepMetadata(draft, stored.object);
    spec.defaults?.(draft, context);
    if (!fieldsAreSet) recordUpdate(draft, stored.object, this.#owner(request));
    await this.#settleUpdate(request, draft, stored, context);
    toGoForm(draft, typeOf(spec));
    const object = asObject(draft);
    const errors = [...validateMeta(spec, object), ...validateMetaUpdate(object, stored.object)];
    if (isMain(request))
      errors.push(
        ...(spec.validate?.(object, context) ?? []),
        ...(spec.validateUpdate?.(object, stored.object, context) ?? []),
      );
    else if (isPart(request.subresource))
      errors.push(...(spec.validatePart?.(request.subresource, object, stored.object, context) ?? []));
    this.#refuse(request, object, errors);
    if (isMain(request)) for (const text of spec.warnings?.(object, stored.object) ?? []) request.warn(text);
    const admission = this.#admissionOf(request, draft, stored.object);
    await this.#links.run("validate", admission, context);
    if (!isStale && isSame(draft, stored)) return { stored, isGone: false };
    using _reserved = this.#links.reserve(admission, context);
    const value = await converted(request, draft);
    const store = () => this.#store(request, { key: stored.key, draft, stored, value }, context);
    return await (waits ? this.#exclusive(request.cache, stored.key, store) : store());
  }

  async #settleUpdate(
    request: WriteRequest,
    draft: JsonObject,
    stored: Stored,
    context: WriteContext,
  ): Promise<void> {
    const spec = specOf(request);
    await this.#links.run("mutate", this.#admissionOf(request, draft, stored.object), context);
    checkNamespace(draft, request.namespace);
    spec.defaults?.(draft, context);
    if (isMain(request)) {
      spec.prepareUpdate?.(draft, stored.object, context);
      countGeneration(draft, stored.object, spec);
      return;
    }
    if (request.subresource === "status") spec.prepareStatus?.(draft, stored.object, context);
    if (!UNCOUNTED.has(request.subresource)) countGeneration(draft, stored.object, spec);
  }

  async #store(request: WriteRequest, next: Next, context: WriteContext): Promise<Written | undefined> {
    const { cache, dryRun } = request;
    const { spec } = cache;
    const { key, draft, stored } = next;
    if (stored === undefined) this.#refuseUnserved(request);
    const ref = { namespace: request.namespace, name: asObject(draft).metadata.name };
    try {
      this.#refuse(request, asObject(draft), spec.allocate?.(draft, stored?.object, context) ?? []);
      const isGone = stored !== undefined && nothingHolds(draft);
      const { format } = request.view ?? cache;
      if (dryRun) {
        const text = format.encode(draft);
        const tried =
          stored === undefined
            ? new Stored(key, 0, format.unstored(text))
            : format.decode(key, stored.revision, text);
        return { stored: tried, isGone };
      }
      const object = next.value === undefined ? cache.format.compose(draft) : undefined;
      const value = next.value ?? JSON.stringify(object);
      const result = await this.#world.write(cache, {
        key,
        value: isGone ? undefined : value,
        expected: stored?.revision ?? 0,
        ...(object === undefined || isGone ? {} : { object }),
      });
      if (result.kind === "conflict") return undefined;
      const now = (isGone ? undefined : cache.get(key)) ?? cache.format.decode(key, result.revision, value);
      return { stored: await show(request, now), isGone };
    } finally {
      spec.settle?.(ref, cache.get(key)?.object);
    }
  }

  /** A kind that came at run time may have gone, or be going, since the request began. */
  #refuseUnserved(request: WriteRequest): void {
    if (request.view?.spec.custom === undefined) return;
    const { resource } = request.view.spec;
    const now = this.#world.viewOf(resource);
    if (now === undefined) throw notFound(resource, "");
    if (!now.spec.verbs.includes("create")) throw terminating("create", resource);
  }

  #refuse(request: WriteRequest, object: KubeObject, errors: readonly FieldError[]): void {
    if (errors.length > 0) throw invalidObject(specOf(request), object.metadata.name ?? "", errors);
  }

  #admissionOf(request: WriteRequest, draft: JsonObject, stored: KubeObject | undefined): AdmissionRequest {
    return {
      operation: stored === undefined ? "create" : "update",
      spec: specOf(request),
      subresource: request.subresource,
      namespace: request.namespace,
      name: textAt(objectAt(draft, "metadata"), "name") ?? "",
      draft,
      stored,
      ...(request.isJudged === undefined ? {} : { isJudged: request.isJudged }),
    };
  }

  #owner(request: WriteRequest): FieldOwner {
    return {
      manager: request.manager,
      subresource: request.subresource,
      type: typeOf(specOf(request)),
      resource: specOf(request).resource,
      now: this.#clock.now(),
    };
  }

  /** Kinds that allocate are written one at a time; others one at a time per object. */
  #exclusive<T>(cache: ResourceCache, key: string, work: () => Promise<T>): Promise<T> {
    return this.#lock.hold(cache.spec.allocate ? cache.prefix : cache.prefix + key, work);
  }
}

interface Next {
  readonly key: string;
  readonly draft: JsonObject;
  readonly stored: Stored | undefined;
  /** What to store, when it is not the draft's own text. */
  readonly value: string | undefined;
}
