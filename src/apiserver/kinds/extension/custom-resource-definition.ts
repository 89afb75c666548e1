import type { KubeObject } from "#kube/object";
import { kindSpec } from "../base.ts";
import type { KindSpec } from "../kind.ts";

/** There are none, and none can be made yet. It is listed all the same, because kubectl asks for the list whenever it meets a
 *  kind it does not know, and should then say that the kind is unknown rather than that the question was. */
export const customResourceDefinitions: KindSpec = kindSpec<KubeObject>({
  resource: {
    group: "apiextensions.k8s.io",
    version: "v1",
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
    namespaced: false,
  },
  definition: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
  shortNames: ["crd", "crds"],
  verbs: ["get", "list", "watch"],
});
