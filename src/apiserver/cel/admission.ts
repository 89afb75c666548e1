import { type Environment, environment } from "./environment.ts";
import { authorizerFunctions } from "./library/authorizer.ts";
import { mutationFunctions, mutationStruct } from "./mutation.ts";
import { BOOL, DYN, listOf, mapOf, objectType, opaque, STRING, type Type } from "./types.ts";

const KIND = objectType("kubernetes.GroupVersionKind", { group: STRING, version: STRING, kind: STRING });
const RESOURCE = objectType("kubernetes.GroupVersionResource", {
  group: STRING,
  version: STRING,
  resource: STRING,
});
const USER = objectType("kubernetes.UserInfo", {
  username: STRING,
  uid: STRING,
  groups: listOf(STRING),
  extra: mapOf(STRING, listOf(STRING)),
});
/** What expressions see of the request itself. */
export const REQUEST_TYPE = objectType("kubernetes.AdmissionRequest", {
  kind: KIND,
  resource: RESOURCE,
  subResource: STRING,
  requestKind: KIND,
  requestResource: RESOURCE,
  requestSubResource: STRING,
  name: STRING,
  namespace: STRING,
  operation: STRING,
  userInfo: USER,
  dryRun: BOOL,
  options: DYN,
});
const META = objectType("kubernetes.NamespaceMetadata", {
  name: STRING,
  generateName: STRING,
  namespace: STRING,
  labels: mapOf(STRING, STRING),
  annotations: mapOf(STRING, STRING),
  UID: STRING,
  creationTimestamp: { kind: "timestamp" },
  deletionGracePeriodSeconds: { kind: "int" },
  deletionTimestamp: { kind: "timestamp" },
  generation: { kind: "int" },
  resourceVersion: STRING,
  finalizers: listOf(STRING),
});
const NAMESPACE = objectType("kubernetes.Namespace", {
  metadata: META,
  spec: objectType("kubernetes.NamespaceSpec", { finalizers: listOf(STRING) }),
  status: objectType("kubernetes.NamespaceStatus", { phase: STRING }),
});
const AUTHORIZER = opaque("kubernetes.authorization.Authorizer");
const CHECK = opaque("kubernetes.authorization.ResourceCheck");

/** What an admission expression may name beyond the object and the request. */
export interface AdmissionScope {
  /** A policy's: `params` is known only when there is a kind of parameters. */
  readonly policy?: { readonly hasParams: boolean };
  /** The types of `variables.x` so far. */
  readonly variables?: Readonly<Record<string, Type>>;
  /** Whether `Object{}` and `JSONPatch{}` can be made. */
  readonly mutates?: boolean;
  readonly hasAuthorizer?: boolean;
}

/** The environment of match conditions and admission policies. */
export function admissionEnvironment(scope: AdmissionScope = {}): Environment {
  const { policy, variables, mutates = false, hasAuthorizer = true } = scope;
  return environment(
    {
      object: DYN,
      oldObject: DYN,
      request: REQUEST_TYPE,
      ...(hasAuthorizer ? { authorizer: AUTHORIZER, "authorizer.requestResource": CHECK } : {}),
      ...(policy === undefined ? {} : { namespaceObject: NAMESPACE }),
      ...(policy?.hasParams ? { params: DYN } : {}),
      ...(variables === undefined ? {} : { variables: objectType("kubernetes.variables", variables) }),
    },
    {
      more: [...(hasAuthorizer ? authorizerFunctions() : []), ...(mutates ? mutationFunctions() : [])],
      ...(mutates ? { struct: mutationStruct } : {}),
    },
  );
}
