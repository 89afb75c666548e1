import { parseDocument } from "yaml";
import { Fault } from "#fault/fault";
import { isObject, type JsonObject, own } from "../json.ts";
import type { AuditLevel, AuditPolicy, AuditRule, AuditStage, GroupResources } from "./policy.ts";

const LEVELS: readonly AuditLevel[] = ["Metadata", "None", "Request", "RequestResponse"];
const STAGES: readonly AuditStage[] = ["Panic", "RequestReceived", "ResponseComplete", "ResponseStarted"];
const API_VERSION = "audit.k8s.io/v1";

/** Reads an audit policy, as YAML or JSON. @throws {Fault} BadAuditPolicy naming every problem */
export function parseAuditPolicy(text: string): AuditPolicy {
  const reader = new PolicyReader();
  const policy = reader.policy(readYaml(text));
  if (reader.problems.length > 0) throw bad(reader.problems);
  return policy;
}

function bad(problems: readonly string[]): Fault<"BadAuditPolicy"> {
  return new Fault("BadAuditPolicy", `Cannot use the audit policy: ${problems.join("; ")}`);
}

function readYaml(text: string): JsonObject {
  const document = parseDocument(text, { version: "1.1", merge: true });
  const [problem] = document.errors;
  if (problem !== undefined) throw bad([(problem.message.split("\n")[0] ?? "").replace(/:$/, "")]);
  // Through text, so that dates and other YAML values become what JSON has.
  const value: unknown = JSON.parse(JSON.stringify(document.toJS({ maxAliasCount: 100 }) ?? null));
  if (!isObject(value)) throw bad([`expected an object of kind Policy, apiVersion ${API_VERSION}`]);
  return value;
}

/** Takes a policy apart field by field, noting what is wrong instead of throwing. */
class PolicyReader {
  readonly problems: string[] = [];

  policy(value: JsonObject): AuditPolicy {
    this.#onlyFields(value, "", [
      "apiVersion",
      "kind",
      "metadata",
      "rules",
      "omitStages",
      "omitManagedFields",
    ]);
    if (own(value, "apiVersion") !== API_VERSION)
      this.problems.push(
        `apiVersion: expected ${API_VERSION}, not ${JSON.stringify(own(value, "apiVersion") ?? "")}`,
      );
    if (own(value, "kind") !== "Policy")
      this.problems.push(`kind: expected Policy, not ${JSON.stringify(own(value, "kind") ?? "")}`);
    const rules = this.#list(value, "rules", "").flatMap((rule, i) => this.#rule(rule, `rules[${i}]`));
    if (rules.length === 0 && this.problems.length === 0)
      this.problems.push("rules: a policy needs at least one rule");
    return {
      rules,
      omitStages: this.#stages(value, ""),
      omitManagedFields: this.#flag(value, "omitManagedFields", "") ?? false,
    };
  }

  #rule(value: unknown, path: string): readonly AuditRule[] {
    if (!isObject(value)) {
      this.problems.push(`${path}: expected an object`);
      return [];
    }
    const lists = ["users", "userGroups", "verbs", "namespaces", "nonResourceURLs"];
    this.#onlyFields(value, `${path}.`, ["level", "resources", "omitStages", "omitManagedFields", ...lists]);
    const level = LEVELS.find((each) => each === own(value, "level"));
    if (level === undefined) this.#unsupported(`${path}.level`, own(value, "level"), LEVELS);
    const rule: AuditRule = {
      level: level ?? "None",
      users: this.#texts(value, "users", path),
      userGroups: this.#texts(value, "userGroups", path),
      verbs: this.#texts(value, "verbs", path),
      namespaces: this.#texts(value, "namespaces", path),
      nonResourceURLs: this.#texts(value, "nonResourceURLs", path),
      resources: this.#list(value, "resources", `${path}.`).flatMap((each, i) =>
        this.#resources(each, `${path}.resources[${i}]`),
      ),
      omitStages: this.#stages(value, `${path}.`),
      omitManagedFields: this.#flag(value, "omitManagedFields", `${path}.`),
    };
    this.#checkUrls(rule, path);
    return [rule];
  }

  #resources(value: unknown, path: string): readonly GroupResources[] {
    if (!isObject(value)) {
      this.problems.push(`${path}: expected an object`);
      return [];
    }
    this.#onlyFields(value, `${path}.`, ["group", "resources", "resourceNames"]);
    const group = own(value, "group") ?? "";
    if (typeof group !== "string" || group.includes("/"))
      this.problems.push(`${path}.group: expected the name of an API group, without a version`);
    const resources = this.#texts(value, "resources", path);
    const resourceNames = this.#texts(value, "resourceNames", path);
    if (resourceNames.length > 0 && resources.length === 0)
      this.problems.push(`${path}.resourceNames: using resourceNames requires at least one resource`);
    return [{ group: String(group), resources, resourceNames }];
  }

  #checkUrls({ nonResourceURLs, resources, namespaces }: AuditRule, path: string): void {
    if (nonResourceURLs.length > 0 && resources.length + namespaces.length > 0)
      this.problems.push(
        `${path}.nonResourceURLs: rules cannot apply to both regular resources and non-resource URLs`,
      );
    for (const [i, url] of nonResourceURLs.entries()) {
      const where = `${path}.nonResourceURLs[${i}]`;
      if (url !== "*" && !url.startsWith("/"))
        this.problems.push(`${where}: non-resource URL rules must begin with a '/' character`);
      if (url.slice(0, -1).includes("*"))
        this.problems.push(
          `${where}: non-resource URL wildcards '*' must be the final character of the rule`,
        );
    }
  }

  #stages(value: JsonObject, prefix: string): readonly AuditStage[] {
    return this.#list(value, "omitStages", prefix).flatMap((each, i) => {
      const stage = STAGES.find((known) => known === each);
      if (stage === undefined) this.#unsupported(`${prefix}omitStages[${i}]`, each, STAGES);
      return stage ?? [];
    });
  }

  #texts(value: JsonObject, field: string, path: string): readonly string[] {
    return this.#list(value, field, `${path}.`).flatMap((each, i) => {
      if (typeof each === "string") return each;
      this.problems.push(`${path}.${field}[${i}]: expected text`);
      return [];
    });
  }

  #list(value: JsonObject, field: string, prefix: string): readonly unknown[] {
    const found = own(value, field) ?? [];
    if (Array.isArray(found)) return found;
    this.problems.push(`${prefix}${field}: expected a list`);
    return [];
  }

  #flag(value: JsonObject, field: string, prefix: string): boolean | undefined {
    const found = own(value, field) ?? undefined;
    if (found === undefined || typeof found === "boolean") return found;
    this.problems.push(`${prefix}${field}: expected true or false`);
    return undefined;
  }

  #onlyFields(value: JsonObject, prefix: string, known: readonly string[]): void {
    for (const field of Object.keys(value))
      if (!known.includes(field)) this.problems.push(`unknown field "${prefix}${field}"`);
  }

  #unsupported(path: string, value: unknown, known: readonly string[]): void {
    const supported = known.map((each) => JSON.stringify(each)).join(", ");
    this.problems.push(
      `${path}: Unsupported value: ${JSON.stringify(value ?? "")}: supported values: ${supported}`,
    );
  }
}
