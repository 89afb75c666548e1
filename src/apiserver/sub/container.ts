import type { Pod } from "#kube/generated/types";
import { badRequest } from "../status.ts";

/** The container that is asked for, or the only one. @throws {StatusFault} BadRequest */
export function containerOf({ metadata, spec }: Pod, asked: string): string {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = spec ?? {};
  const all = [...initContainers, ...containers, ...ephemeralContainers].map(({ name }) => name);
  if (asked !== "") {
    if (all.includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${metadata.name}`);
  }
  const [first, second] = containers;
  if (first !== undefined && second === undefined) return first.name;
  const choice = first === undefined ? "" : `, choose one of: [${all.join(" ")}]`;
  throw badRequest(`a container name must be specified for pod ${metadata.name}${choice}`);
}
