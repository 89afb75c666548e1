/** Writes `src/kube/generated/types.ts` from the Kubernetes OpenAPI v2 document: `node scripts/generate-kube-types.ts SWAGGER`.
 *  Only the kinds below and what they are made of; the document is Kubernetes' own, under the Apache License 2.0. */
import { readFileSync, writeFileSync } from "node:fs";

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

const ROOTS = [
  "io.k8s.api.core.v1.Namespace",
  "io.k8s.api.core.v1.Node",
  "io.k8s.api.core.v1.Pod",
  "io.k8s.api.core.v1.Service",
  "io.k8s.api.core.v1.ConfigMap",
  "io.k8s.api.core.v1.Secret",
  "io.k8s.api.core.v1.ServiceAccount",
  "io.k8s.api.core.v1.Event",
  "io.k8s.api.core.v1.Binding",
  "io.k8s.api.apps.v1.Deployment",
  "io.k8s.api.apps.v1.ReplicaSet",
  "io.k8s.api.apps.v1.DaemonSet",
  "io.k8s.api.apps.v1.ControllerRevision",
  "io.k8s.api.apps.v1.StatefulSet",
  "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
  "io.k8s.api.batch.v1.CronJob",
  "io.k8s.api.batch.v1.Job",
  "io.k8s.api.core.v1.LimitRange",
  "io.k8s.api.core.v1.PersistentVolume",
  "io.k8s.api.core.v1.PersistentVolumeClaim",
  "io.k8s.api.core.v1.ResourceQuota",
  "io.k8s.api.discovery.v1.EndpointSlice",
  "io.k8s.api.networking.v1.Ingress",
  "io.k8s.api.networking.v1.IngressClass",
  "io.k8s.api.networking.v1.NetworkPolicy",
  "io.k8s.api.policy.v1.PodDisruptionBudget",
  "io.k8s.api.rbac.v1.ClusterRole",
  "io.k8s.api.rbac.v1.ClusterRoleBinding",
  "io.k8s.api.rbac.v1.Role",
  "io.k8s.api.rbac.v1.RoleBinding",
  "io.k8s.api.scheduling.v1.PriorityClass",
  "io.k8s.api.storage.v1.StorageClass",
  "io.k8s.api.coordination.v1.Lease",
  "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy",
  "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding",
  "io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration",
  "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
  "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding",
  "io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration",
  "io.k8s.api.authentication.v1.TokenRequest",
  "io.k8s.api.authentication.v1.TokenReview",
  "io.k8s.api.authorization.v1.SelfSubjectRulesReview",
  "io.k8s.api.authorization.v1.SubjectAccessReview",
  "io.k8s.api.certificates.v1.CertificateSigningRequest",
  "io.k8s.api.core.v1.PodTemplate",
  "io.k8s.api.core.v1.ReplicationController",
  "io.k8s.api.networking.v1.IPAddress",
  "io.k8s.api.networking.v1.ServiceCIDR",
  "io.k8s.api.node.v1.RuntimeClass",
  "io.k8s.api.policy.v1.Eviction",
  "io.k8s.api.storage.v1.CSIDriver",
  "io.k8s.api.storage.v1.CSINode",
  "io.k8s.api.storage.v1.CSIStorageCapacity",
  "io.k8s.api.storage.v1.VolumeAttachment",
  "io.k8s.api.storage.v1.VolumeAttributesClass",
  "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
  "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
];
const EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.";
/** Definitions whose last word another one already has. */
const RENAMED: Readonly<Record<string, string>> = {
  "io.k8s.api.storage.v1.TokenRequest": "CSITokenRequest",
  [`${EXTENSIONS}ServiceReference`]: "ConversionServiceReference",
  [`${EXTENSIONS}WebhookClientConfig`]: "ConversionClientConfig",
};
/** Shapes that are not objects in JSON, or that we type by hand. */
const SCALARS: Readonly<Record<string, string>> = {
  IntOrString: "number | string",
  Quantity: "string",
  Time: "string",
  MicroTime: "string",
  FieldsV1: "Readonly<Record<string, unknown>>",
  RawExtension: "unknown",
  JSON: "unknown",
  JSONSchemaPropsOrArray: "JSONSchemaProps | readonly JSONSchemaProps[]",
  JSONSchemaPropsOrBool: "JSONSchemaProps | boolean",
  JSONSchemaPropsOrStringArray: "JSONSchemaProps | readonly string[]",
};

const swagger = process.argv[2];
if (swagger === undefined)
  throw new Error("usage: node scripts/generate-kube-types.ts kubernetes-openapi-v2.json");
const definitions = JSON.parse(readFileSync(swagger, "utf8")).definitions as Record<string, Schema>;
const wanted = new Map<string, string>();
for (const root of ROOTS) collect(root);
const header =
  "// Written by scripts/generate-kube-types.ts from the Kubernetes OpenAPI document (Apache-2.0). Do not edit.\n";
const names = [...wanted.keys()].sort();
writeFileSync(
  new URL("../src/kube/generated/types.ts", import.meta.url),
  `${header}\n${names.map(declare).join("\n")}`,
);

function collect(definition: string): void {
  const name = shortName(definition);
  if (wanted.has(name)) {
    if (wanted.get(name) !== definition) throw new Error(`two definitions are called ${name}`);
    return;
  }
  wanted.set(name, definition);
  for (const property of Object.values(definitions[definition]?.properties ?? {})) collectRefs(property);
}

function collectRefs(schema: Schema): void {
  if (schema.$ref) collect(refName(schema.$ref));
  if (schema.items) collectRefs(schema.items);
  if (schema.additionalProperties) collectRefs(schema.additionalProperties);
}

function declare(name: string): string {
  if (SCALARS[name]) return `export type ${name} = ${SCALARS[name]};\n`;
  const schema = definitions[wanted.get(name) ?? ""] ?? {};
  const lines = Object.entries(schema.properties ?? {}).map(([key, property]) => {
    const required = isRequired(name, key, schema);
    const field = /^[$\w]+$/.test(key) ? key : JSON.stringify(key);
    return `  readonly ${field}${required ? "" : "?"}: ${typeOf(name, property)}${required ? "" : " | undefined"};`;
  });
  return `export interface ${name} {\n${lines.join("\n")}\n}\n`;
}

/** Objects always have metadata with a name once they are stored; the document leaves both optional. */
function isRequired(name: string, key: string, schema: Schema): boolean {
  if (name === "ObjectMeta" && key === "name") return true;
  if (key === "metadata" && name !== "PodTemplateSpec" && name !== "Status") return true;
  return schema.required?.includes(key) ?? false;
}

function typeOf(owner: string, schema: Schema): string {
  if (schema.$ref) {
    const name = shortName(refName(schema.$ref));
    return owner === "PodTemplateSpec" && name === "ObjectMeta" ? "Partial<ObjectMeta>" : name;
  }
  if (schema.type === "array") return `readonly ${wrap(typeOf(owner, schema.items ?? {}))}[]`;
  if (schema.type === "object")
    return `Readonly<Record<string, ${schema.additionalProperties ? typeOf(owner, schema.additionalProperties) : "unknown"}>>`;
  if (schema.type === "integer" || schema.type === "number") return "number";
  return schema.type ?? "unknown";
}

function wrap(type: string): string {
  return /[ |]/.test(type) ? `(${type})` : type;
}

function refName(ref: string): string {
  return ref.slice("#/definitions/".length);
}

function shortName(definition: string): string {
  const renamed = RENAMED[definition];
  if (renamed !== undefined) return renamed;
  return definition.slice(definition.lastIndexOf(".") + 1);
}
