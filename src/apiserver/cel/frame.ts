import type { Meter } from "./meter.ts";
import type { Type } from "./types.ts";
import type { Value } from "./value.ts";

/** What one evaluation knows: the caller's variables, what macros have bound, and the cost so far. */
export interface Frame {
  readonly slots: Value[];
  readonly meter: Meter;
  /** The value of one of the environment's variables. */
  readonly read: (name: string) => Value;
}

/** An expression ready to run. */
export interface Compiled {
  readonly type: Type;
  readonly run: (frame: Frame) => Value;
  /** What it always is, where that is known before it runs. */
  readonly constant?: Value;
  /** What a list or map is made of, where the expression says so. */
  readonly items?: readonly Part[];
}

/** An element, key or value that an expression writes down, and where. */
export interface Part {
  readonly type: Type;
  readonly at: number;
  readonly items?: readonly Part[] | undefined;
}

export interface Local {
  readonly slot: number;
  readonly type: Type;
}

/** The names that macros have bound around an expression. */
export class Scope {
  readonly #outer: Scope | undefined;
  readonly #name: string;
  readonly #local: Local | undefined;
  readonly #slots: number;

  constructor(outer?: Scope, name = "", type?: Type) {
    this.#outer = outer;
    this.#name = name;
    this.#local = type && outer ? { slot: outer.#slots, type } : undefined;
    this.#slots = outer === undefined ? 0 : outer.#slots + 1;
  }

  find(name: string): Local | undefined {
    return this.#local !== undefined && this.#name === name ? this.#local : this.#outer?.find(name);
  }

  /** A scope inside this one in which `name` is bound; its slot is `slot`. */
  bind(name: string, type: Type): Scope {
    return new Scope(this, name, type);
  }

  /** Where the innermost name lies in a frame. */
  get slot(): number {
    return this.#slots - 1;
  }
}
