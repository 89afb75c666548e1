import type { CSINode, CSINodeDriver } from "#kube/generated/types";
import { CSI_NODES } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { duplicate, IMMUTABLE, invalid, problems, required } from "../field/error.ts";
import { qualifiedNameProblems } from "../field/names.ts";
import { nonNegative } from "../field/numbers.ts";
import { sameJson } from "../field/same.ts";
import type { FieldError, KindSpec } from "../kind.ts";
import { validateDriverName } from "../pod/volume-sources.ts";
import { ageColumn, count, nameColumn, printer } from "../print/printer.ts";

/** What a driver may call a node, in characters. */
const MAX_NODE_ID = 192;

export const csiNodes: KindSpec<CSINode> = kindSpec<CSINode>({
  resource: CSI_NODES,
  requiresVersion: true,
  definition: "io.k8s.api.storage.v1.CSINode",
  deleteReturnsObject: true,
  validate: ({ spec }) => validateDrivers(spec?.drivers ?? []),
  validateUpdate: ({ spec }, { spec: before }) => keepDrivers(spec?.drivers ?? [], before?.drivers ?? []),
  ...printer<CSINode>([nameColumn, count("Drivers", ({ spec }) => spec?.drivers?.length), ageColumn]),
});

function validateDrivers(drivers: readonly CSINodeDriver[]): readonly FieldError[] {
  const names = new Set<string>();
  return drivers.flatMap(({ name, nodeID, topologyKeys = [], allocatable }, i) => {
    const at = `spec.drivers[${i}]`;
    const errors = [...validateDriverName(`${at}.name`, name)];
    if (!nodeID) errors.push(required(`${at}.nodeID`, nodeID));
    else if (nodeID.length > MAX_NODE_ID)
      errors.push(invalid(`${at}.nodeID`, nodeID, `must be ${MAX_NODE_ID} characters or less`));
    errors.push(...nonNegative(`${at}.allocatable.count`, allocatable?.count));
    topologyKeys.forEach((key, j) => {
      errors.push(...problems(at, key, qualifiedNameProblems(key)));
      if (topologyKeys.indexOf(key) < j) errors.push(duplicate(`${at}.topologyKeys`, key));
    });
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
    return errors;
  });
}

/** A driver that is known on a node keeps what it said of it, but for how many volumes fit. */
function keepDrivers(now: readonly CSINodeDriver[], before: readonly CSINodeDriver[]): readonly FieldError[] {
  const fixed = ({ nodeID, topologyKeys }: CSINodeDriver) => ({ nodeID, topologyKeys: topologyKeys ?? [] });
  return now.flatMap((driver, i) => {
    const old = before.find(({ name }) => name === driver.name);
    if (old === undefined || sameJson(fixed(driver), fixed(old))) return [];
    return [invalid(`spec.drivers[${i}]`, driver, IMMUTABLE)];
  });
}
