import type { IPAddress, ParentReference } from "#kube/generated/types";
import { IP_ADDRESSES } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { problems, required } from "../field/error.ts";
import { pathSegmentProblems, subdomainProblems } from "../field/names.ts";
import { immutableField } from "../field/same.ts";
import type { FieldError, KindSpec } from "../kind.ts";
import { ageOf } from "../print/age.ts";
import { nameColumn, printer, text } from "../print/printer.ts";
import { NONE } from "../print/words.ts";

const table = printer<IPAddress>([nameColumn, text("ParentRef", ({ spec }) => parentText(spec?.parentRef))]);

/** Addresses and who has them; `settle` hears of every change. */
export function ipAddressKind(
  settle: (name: string, stored: IPAddress | undefined) => void,
): KindSpec<IPAddress> {
  return { ...ipAddresses, settle: ({ name }, stored) => settle(name, stored) };
}

export const ipAddresses: KindSpec<IPAddress> = kindSpec<IPAddress>({
  resource: IP_ADDRESSES,
  definition: "io.k8s.api.networking.v1.IPAddress",
  shortNames: ["ip"],
  nameRule: "ip",
  validate: ({ spec }) => validateParent(spec?.parentRef),
  validateUpdate: ({ spec }, { spec: before }) =>
    immutableField("spec.parentRef", spec?.parentRef, before?.parentRef),
  selectableFields: ({ spec }) => {
    const { group = "", resource = "", namespace = "", name = "" } = spec?.parentRef ?? {};
    return {
      "spec.parentRef.group": group,
      "spec.parentRef.resource": resource,
      "spec.parentRef.namespace": namespace,
      "spec.parentRef.name": name,
    };
  },
  columns: table.columns,
  // kube-apiserver's rows say the age as well, in a cell that no column names
  cells: (object, now) => [...table.cells(object, now), ageOf(object.metadata.creationTimestamp, now)],
});

function parentText(parent: ParentReference | undefined | null): string {
  if (parent === undefined || parent === null) return NONE;
  const { group, resource = "", namespace, name = "" } = parent;
  const what = group ? `${resource}.${group}` : resource;
  return [what.toLowerCase(), ...(namespace ? [namespace] : []), name].join("/");
}

function validateParent(parent: ParentReference | undefined): readonly FieldError[] {
  const path = "spec.parentRef";
  if (parent === undefined) return [required(path)];
  const { group, resource, namespace, name } = parent;
  return [
    ...(group ? problems(`${path}.group`, group, subdomainProblems(group)) : []),
    ...(resource
      ? problems(`${path}.resource`, resource, pathSegmentProblems(resource))
      : [required(`${path}.resource`)]),
    ...(name ? problems(`${path}.name`, name, pathSegmentProblems(name)) : [required(`${path}.name`)]),
    ...(namespace ? problems(`${path}.namespace`, namespace, pathSegmentProblems(namespace)) : []),
  ];
}
