import type { Overload } from "./declare.ts";
import { standardFunctions } from "./library/all.ts";
import type { Sizes } from "./sizes.ts";
import type { Type } from "./types.ts";
import type { Value } from "./value.ts";

/** A type that expressions can make: `Object.spec{replicas: 3}`. */
export interface StructMaker {
  readonly type: Type;
  readonly fieldType: (name: string) => Type | undefined;
  readonly make: (fields: ReadonlyMap<string, Value>) => Value;
}

/** What an expression may name. */
export interface Environment {
  readonly variables: ReadonlyMap<string, Type>;
  readonly functions: ReadonlyMap<string, readonly Overload[]>;
  readonly struct?: (name: string) => StructMaker | undefined;
  /** How large the variables can get, where what an expression costs is to be told before it runs. */
  readonly sizes?: Sizes;
}

/** An environment of these variables and Kubernetes' functions, plus `more`. */
export function environment(
  variables: Readonly<Record<string, Type>>,
  options: {
    readonly more?: readonly Overload[];
    readonly struct?: (name: string) => StructMaker | undefined;
  } = {},
): Environment {
  const functions = options.more === undefined ? standardFunctions() : withMore(options.more);
  const known = new Map(Object.entries(variables));
  return { variables: known, functions, ...(options.struct === undefined ? {} : { struct: options.struct }) };
}

function withMore(more: readonly Overload[]): ReadonlyMap<string, readonly Overload[]> {
  return byName([...[...standardFunctions().values()].flat(), ...more]);
}

export function byName(overloads: readonly Overload[]): ReadonlyMap<string, readonly Overload[]> {
  const found = new Map<string, Overload[]>();
  for (const overload of overloads) {
    const others = found.get(overload.name);
    if (others === undefined) found.set(overload.name, [overload]);
    else others.push(overload);
  }
  return found;
}
