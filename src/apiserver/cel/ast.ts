import type { Type } from "./types.ts";
import type { Value } from "./value.ts";

interface Placed {
  /** Where an issue with this node is shown; in UTF-16 units from the start. */
  readonly at: number;
  /** How many nodes lie on the longest way down from here. */
  readonly depth: number;
}

export interface Literal extends Placed {
  readonly kind: "literal";
  readonly type: Type;
  readonly value: Value;
}

export interface Ident extends Placed {
  readonly kind: "ident";
  readonly name: string;
}

export interface Select extends Placed {
  readonly kind: "select";
  readonly operand: Expr;
  readonly field: string;
  /** `a.?b`: none where there is no b. */
  readonly isOptional: boolean;
}

/** A call by name; operators are calls of `_+_` and the like. */
export interface Call extends Placed {
  readonly kind: "call";
  readonly name: string;
  readonly target: Expr | undefined;
  readonly args: readonly Expr[];
}

export interface ListItem {
  readonly value: Expr;
  readonly isOptional: boolean;
}

export interface MapEntry extends ListItem {
  readonly key: Expr;
}

export interface FieldEntry extends ListItem {
  readonly name: string;
  readonly at: number;
}

export type Expr =
  | Literal
  | Ident
  | Select
  | Call
  | (Placed & { readonly kind: "list"; readonly items: readonly ListItem[] })
  | (Placed & { readonly kind: "map"; readonly entries: readonly MapEntry[] })
  | (Placed & { readonly kind: "struct"; readonly name: string; readonly fields: readonly FieldEntry[] });

/** `a.b.c` when an expression is nothing but names joined by dots. */
export function dottedName(expr: Expr): string | undefined {
  if (expr.kind === "ident") return expr.name;
  if (expr.kind !== "select" || expr.isOptional) return undefined;
  const outer = dottedName(expr.operand);
  return outer === undefined ? undefined : `${outer}.${expr.field}`;
}

/** The longest way down below a node. */
export function depthOf(...below: readonly (Expr | undefined)[]): number {
  return 1 + below.reduce((deepest, expr) => Math.max(deepest, expr?.depth ?? 0), 0);
}
