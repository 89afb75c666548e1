import type { KubeObject, Resource } from "#kube/object";
import { kindSpec } from "../base.ts";
import type { KindSpec } from "../kind.ts";
import { nameColumn, printer, text } from "../print/printer.ts";

interface ComponentCondition {
  readonly type: string;
  readonly status: string;
  readonly message?: string;
  readonly error?: string;
}

interface ComponentStatus extends KubeObject {
  readonly conditions?: readonly ComponentCondition[];
}

const COMPONENT_STATUSES: Resource<ComponentStatus> = {
  group: "",
  version: "v1",
  kind: "ComponentStatus",
  plural: "componentstatuses",
  namespaced: false,
};

/** The parts of the control plane. They live and die with the server that answers, so that whoever hears anything hears that they are well. */
export const componentStatuses: KindSpec<ComponentStatus> = kindSpec<ComponentStatus>({
  resource: COMPONENT_STATUSES,
  definition: "io.k8s.api.core.v1.ComponentStatus",
  shortNames: ["cs"],
  verbs: ["get", "list"],
  deprecation: "v1 ComponentStatus is deprecated in v1.19+",
  ...printer<ComponentStatus>([
    nameColumn,
    text("Status", (object) => (healthOf(object)?.status === "True" ? "Healthy" : "Unhealthy")),
    text("Message", (object) => healthOf(object)?.message ?? ""),
    text("Error", (object) => healthOf(object)?.error ?? ""),
  ]),
});

const COMPONENTS = ["controller-manager", "etcd-0", "scheduler"];

export function componentStatusObjects(): readonly ComponentStatus[] {
  return COMPONENTS.map((name) => ({
    apiVersion: "v1",
    kind: "ComponentStatus",
    metadata: { name },
    conditions: [{ type: "Healthy", status: "True", message: "ok" }],
  }));
}

function healthOf({ conditions = [] }: ComponentStatus) {
  return conditions.find(({ type }) => type === "Healthy");
}
