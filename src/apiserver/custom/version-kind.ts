import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from "#kube/generated/types";
import type { KubeObject, Resource } from "#kube/object";
import { isObject, type Json, type JsonObject } from "../json.ts";
import type { Conversion, FieldError, Fitted, KindSpec, Verb } from "../kinds/kind.ts";
import { columnsOf } from "./columns.ts";
import { Correlation } from "./correlation.ts";
import { fillDefaults } from "./default.ts";
import { embeddedErrors, fitEmbedded } from "./embedded.ts";
import { objectType } from "./field-type.ts";
import { finalizerWarnings } from "./finalizers.ts";
import { fitObject } from "./fit.ts";
import { errorsAt } from "./found.ts";
import { followPath, parseJsonPath } from "./json-path.ts";
import { listKeyErrors } from "./list-keys.ts";
import { publishedSchema } from "./open-api.ts";
import { prune } from "./prune.ts";
import { RuleTree } from "./rule-tree.ts";
import { replicasErrors, scaleOf } from "./scale-paths.ts";
import { declared, type Schema } from "./schema.ts";
import { Validator } from "./validator.ts";

const ALL: readonly Verb[] = [
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "update",
  "watch",
];
/** Nothing is added to a definition that is being deleted. */
const WHILE_LEAVING = ALL.filter((verb) => verb !== "create");

/** A kind as one version of a definition describes it; everything that is compiled of its schema is compiled once, when first used. */
export class VersionKind {
  readonly resource: Resource;
  readonly schema: Schema;
  readonly #version: CustomResourceDefinitionVersion;
  readonly #validator: Validator;
  readonly #statusValidator: Validator;
  #rules: RuleTree | "none" | undefined;

  constructor(definition: CustomResourceDefinition, version: CustomResourceDefinitionVersion) {
    this.resource = resourceOf(definition, version.name);
    this.#version = version;
    this.schema = version.schema?.openAPIV3Schema ?? {
      type: "object",
      "x-kubernetes-preserve-unknown-fields": true,
    };
    this.#validator = new Validator(this.schema);
    this.#statusValidator = new Validator(declared(this.schema, "status") ?? {});
  }

  /** The kind to serve. */
  spec(definition: CustomResourceDefinition, conversion: Conversion): KindSpec {
    const names = definition.status?.acceptedNames ?? definition.spec.names;
    const { subresources } = this.#version;
    const isLeaving = definition.metadata.deletionTimestamp !== undefined;
    const { schema, resource } = this;
    const warning = deprecation(this.#version, resource);
    return {
      resource,
      definition: definitionName(resource),
      type: objectType(schema),
      conversion,
      custom: {
        fit: (value) => this.fit(value),
        openApi: (version) => publishedSchema(schema, resource, version),
        isLeaving,
      },
      ...(warning === undefined ? {} : { deprecation: warning }),
      singular: names.singular ?? resource.kind.toLowerCase(),
      ...(names.listKind ? { listKind: names.listKind } : {}),
      shortNames: names.shortNames ?? [],
      categories: names.categories ?? [],
      verbs: isLeaving ? WHILE_LEAVING : ALL,
      hasStatus: subresources?.status !== undefined,
      generation: "all-but-metadata",
      createsOnUpdate: false,
      requiresVersion: true,
      deleteReturnsObject: false,
      nameRule: "subdomain",
      ...(subresources?.scale ? { scale: scaleOf(subresources.scale) } : {}),
      defaults: (draft) => this.complete(draft),
      validateCreate: (object) => this.#errors(object),
      validateUpdate: (object, stored) => this.#updateErrors(object, stored),
      validatePart: (part, object, stored) => (part === "status" ? this.#statusErrors(object, stored) : []),
      warnings: finalizerWarnings,
      ...selectable(this.#version),
      ...columnsOf(this.#version.additionalPrinterColumns),
    };
  }

  /** A client's body as an object of this version. @throws {MisfitFault} */
  fit(value: JsonObject): Fitted {
    const { value: out, unknown } = fitObject(value);
    const pruned = prune(out, this.schema, { isRoot: true });
    const inner = fitEmbedded(out, this.schema, { isTolerant: false });
    return { value: out, unknown: [...unknown, ...pruned, ...inner] };
  }

  /** What is stored as an object of this version: pruned and completed, because the schema may have changed since. */
  read(value: JsonObject): JsonObject {
    prune(value, this.schema, { isRoot: true });
    fitEmbedded(value, this.schema, { isTolerant: true });
    return this.complete(value);
  }

  complete(value: JsonObject): JsonObject {
    const { metadata: _metadata, ...rest } = value;
    fillDefaults(rest, this.schema);
    for (const field of Object.keys(value))
      if (field !== "metadata" && !Object.hasOwn(rest, field)) delete value[field];
    Object.assign(value, rest);
    return value;
  }

  #errors(object: KubeObject): readonly FieldError[] {
    const value = jsonOf(object);
    const errors = [
      ...errorsAt(undefined, this.#validator.check(value)),
      ...replicasErrors(value, this.#version.subresources?.scale, { status: true, spec: true }),
      ...embeddedErrors(value, this.schema),
      ...listKeyErrors(value, this.schema),
    ];
    return [...errors, ...this.#ruleErrors(value, undefined, errors)];
  }

  #updateErrors(object: KubeObject, stored: KubeObject): readonly FieldError[] {
    const value = jsonOf(object);
    const was = jsonOf(stored);
    const old = new Correlation(value, was, this.schema);
    const found = this.#validator.check(value, "", old);
    const errors = [
      ...(old.isUnchanged ? [] : errorsAt(undefined, found)),
      ...replicasErrors(value, this.#version.subresources?.scale, { status: true, spec: true }),
      ...embeddedErrors(value, this.schema),
      ...(listKeyErrors(was, this.schema).length > 0 ? [] : listKeyErrors(value, this.schema)),
    ];
    return [...errors, ...this.#ruleErrors(value, old, errors)];
  }

  #statusErrors(object: KubeObject, stored: KubeObject): readonly FieldError[] {
    const value = jsonOf(object);
    const was = jsonOf(stored);
    const old = new Correlation(value, was, this.schema);
    const status = isObject(value) ? value["status"] : undefined;
    const found =
      status === undefined ? undefined : this.#statusValidator.check(status, "", old.key("status"));
    const isUnchanged = old.key("status")?.isUnchanged === true;
    const errors = [
      ...(found === undefined || isUnchanged ? [] : errorsAt("status", found)),
      ...replicasErrors(value, this.#version.subresources?.scale, { status: true, spec: false }),
      ...(listKeyErrors(was, this.schema).length > 0 ? [] : listKeyErrors(value, this.schema)),
    ];
    return [...errors, ...this.#ruleErrors(value, old, errors)];
  }

  /** Rules are looked at only where the object has the right shape. */
  #ruleErrors(
    value: Json,
    old: Correlation | undefined,
    found: readonly FieldError[],
  ): readonly FieldError[] {
    this.#rules ??= RuleTree.of(this.schema, { isRoot: true }) ?? "none";
    if (this.#rules === "none") return [];
    const blocking = new Set<FieldError["type"]>([
      "NotSupported",
      "Required",
      "TooLong",
      "TooMany",
      "TypeInvalid",
    ]);
    if (found.some(({ type }) => blocking.has(type)))
      return [
        {
          type: "Invalid",
          path: "<nil>",
          detail:
            "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
        },
      ];
    return this.#rules.check(value, { path: undefined, old: old?.was, correlation: old });
  }
}

/** An object, as the JSON it came from. */
function jsonOf(object: KubeObject): Json {
  return object as unknown as Json;
}

export function resourceOf({ spec }: CustomResourceDefinition, version: string): Resource {
  const { group, names, scope } = spec;
  return { group, version, kind: names.kind, plural: names.plural, namespaced: scope === "Namespaced" };
}

/** The schema's name in OpenAPI documents: `io.cert-manager.v1.Issuer`. */
function definitionName({ group, version, kind }: Resource): string {
  return [...group.split(".").reverse(), version, kind].join(".");
}

function deprecation(version: CustomResourceDefinitionVersion, resource: Resource): string | undefined {
  if (!version.deprecated) return undefined;
  return version.deprecationWarning ?? `${resource.group}/${version.name} ${resource.kind} is deprecated`;
}

function selectable({ selectableFields = [] }: CustomResourceDefinitionVersion): Partial<KindSpec> {
  const fields = selectableFields.map(({ jsonPath }) => ({
    name: jsonPath.replace(/^\./, ""),
    path: parseJsonPath(jsonPath) ?? [],
  }));
  const textOf = (value: Json | undefined) => (value === undefined || value === null ? "" : String(value));
  return {
    selectableFields: (object) =>
      Object.fromEntries(fields.map(({ name, path }) => [name, textOf(followPath(jsonOf(object), path)[0])])),
  };
}
