/** A packet's way through the program: which chains it meets in which order, and what becomes of it. */
import { familyOf, type Ip } from "#addr/ip";
import type { Expression, Operand, Rule, Statement } from "./rule.ts";
import { findElement, type Hook, type Table } from "./ruleset.ts";
import { matchesWord } from "./words.ts";

/** First packet of a connection. */
export interface Packet {
  readonly from: Ip;
  readonly to: Ip;
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly port: number;
  readonly fromPort?: number;
  /** The interface it enters by; none for this node's own. */
  readonly enters?: string;
  /** What the kernel knows of its connection; `new` unless told. */
  readonly state?: "new" | "invalid";
}

/** The node the packet meets. */
export interface Situation {
  readonly locals: ReadonlySet<Ip>;
  /** Seconds; what is remembered for a time ends by it. */
  readonly now: number;
  readonly remembered: Memory;
}

/** Dynamic maps: what packets leave behind for later ones. By map and key. */
export type Memory = Map<string, { readonly value: string; readonly until: number }>;

export interface Outcome {
  /** `reject`: by an ICMP error; `reset`: by TCP's own word. */
  readonly verdict: "accept" | "drop" | "reject" | "reset";
  /** `ip . port`, where the destination was changed. */
  readonly to: string | undefined;
  readonly isMasqueraded: boolean;
  /** The packet's mark when it is routed: other programs' rules may go by it. */
  readonly mark: number;
  readonly rules: readonly string[];
}

/** Answers `numgen random mod below`. */
export type Choose = (below: number) => number;

type Verdict = Outcome["verdict"] | "next" | "return";

/** Every outcome that chance may give, each once. Leaves nothing behind. */
export function outcomesOf(table: Table, packet: Packet, situation: Situation): readonly Outcome[] {
  const found = new Map<string, Outcome>();
  for (let choices: readonly number[] | undefined = []; choices; ) {
    const limits: number[] = [];
    const taken: readonly number[] = choices;
    const remembered = new Map(situation.remembered);
    const outcome = walk(table, packet, { ...situation, remembered }, (below) => {
      limits.push(below);
      return taken[limits.length - 1] ?? 0;
    });
    found.set(JSON.stringify({ ...outcome, rules: [] }), outcome);
    choices = nextChoices(taken, limits);
  }
  return [...found.values()];
}

/** Counts up like a number whose digits have these limits. */
function nextChoices(taken: readonly number[], limits: readonly number[]): readonly number[] | undefined {
  const digits = limits.map((_, i) => taken[i] ?? 0);
  for (let i = digits.length - 1; i >= 0; i--) {
    const next = (digits[i] ?? 0) + 1;
    if (next < (limits[i] ?? 0)) return [...digits.slice(0, i), next];
  }
  return undefined;
}

/** One packet, with chance decided by `choose`; leaves in `situation.remembered` what the kernel would remember. */
export function walk(table: Table, packet: Packet, situation: Situation, choose: Choose): Outcome {
  return new Walk(table, packet, situation, choose).through();
}

class Walk {
  readonly #table: Table;
  readonly #packet: Packet;
  readonly #situation: Situation;
  readonly #choose: Choose;
  readonly #rules: string[] = [];
  #to: Ip;
  #port: number;
  #mark = 0;
  #markWhenRouted = 0;
  #isTranslated = false;
  #isMasqueraded = false;

  constructor(table: Table, packet: Packet, situation: Situation, choose: Choose) {
    this.#table = table;
    this.#packet = packet;
    this.#situation = situation;
    this.#choose = choose;
    this.#to = packet.to;
    this.#port = packet.port;
  }

  /** A connection's translation is decided once: its second turn, over loopback, meets filters only. */
  through(): Outcome {
    const isOwn = this.#packet.enters === undefined;
    const isLocal = () => this.#situation.locals.has(this.#to);
    const ended = isOwn
      ? (this.#hooks("output") ??
        this.#hooks("postrouting") ??
        (isLocal() ? (this.#hooks("prerouting", "filter") ?? this.#hooks("input", "filter")) : undefined))
      : (this.#hooks("prerouting") ??
        (isLocal() ? this.#hooks("input") : (this.#hooks("forward") ?? this.#hooks("postrouting"))));
    return {
      verdict: ended ?? "accept",
      to: this.#isTranslated && ended === undefined ? `${this.#to} . ${this.#port}` : undefined,
      isMasqueraded: this.#isMasqueraded,
      mark: this.#markWhenRouted,
      rules: this.#rules,
    };
  }

  #hooks(at: Hook["at"], only?: Hook["type"]): Exclude<Outcome["verdict"], "accept"> | undefined {
    for (const { name, hook } of this.#table.hooks) {
      if (hook.at !== at || (only && hook.type !== only)) continue;
      const verdict = this.#chain(name);
      if (verdict !== "accept" && verdict !== "next" && verdict !== "return") return verdict;
    }
    if (at === "prerouting" || at === "output") this.#markWhenRouted = this.#mark;
    return undefined;
  }

  #chain(name: string): Verdict {
    for (const rule of this.#table.chain(name).rules) {
      const verdict = this.#rule(name, rule);
      if (verdict !== "next") return verdict;
    }
    return "return";
  }

  #rule(chain: string, { text, statements }: Rule): Verdict {
    let isTold = false;
    for (const statement of statements) {
      if (statement.kind !== "match" && !isTold) this.#rules.push(`${chain}: ${text}`);
      isTold ||= statement.kind !== "match";
      const verdict = this.#statement(statement);
      if (verdict === undefined) return "next";
      if (verdict !== "next") return verdict;
    }
    return "next";
  }

  /** `next` goes on with the rule; undefined leaves it. */
  #statement(statement: Statement): Verdict | undefined {
    switch (statement.kind) {
      case "match":
        return this.#matches(statement.left, statement.right) !== statement.isNegated ? "next" : undefined;
      case "verdict":
        return statement.verdict;
      case "jump":
        return this.#jump(statement.chain);
      case "goto":
        return this.#chain(statement.chain);
      case "vmap":
        return this.#verdictMap(statement.key, statement.map);
      case "verdicts":
        return this.#verdict(statement.by.get(this.#value(statement.key) ?? ""));
      case "set-mark":
        return this.#setMark(this.#value(statement.value));
      case "dnat":
        return this.#translate(this.#value(statement.to));
      case "masquerade":
        this.#isMasqueraded = true;
        return "accept";
      case "counter":
        return "next";
      case "remember":
        return this.#remember(statement);
      default:
        return statement satisfies never;
    }
  }

  #jump(chain: string): Verdict {
    const verdict = this.#chain(chain);
    return verdict === "return" ? "next" : verdict;
  }

  #verdictMap(key: Expression, map: string): Verdict | undefined {
    const value = this.#value(key);
    return this.#verdict(value === undefined ? undefined : findElement(this.#table.set(map), value));
  }

  #verdict(data: string | undefined): Verdict | undefined {
    if (data === undefined) return undefined;
    if (data.startsWith("goto ")) return this.#chain(data.slice(5));
    if (data.startsWith("jump ")) return this.#jump(data.slice(5));
    if (data === "drop" || data === "accept" || data === "return") return data;
    throw new Error(`no meaning for the verdict "${data}"`);
  }

  #setMark(value: string | undefined): Verdict | undefined {
    if (value === undefined) return undefined;
    this.#mark = Number(value);
    return "next";
  }

  #translate(to: string | undefined): Verdict | undefined {
    if (to === undefined) return undefined;
    const [ip = "", port = ""] = to.split(" . ");
    if (familyOf(ip) !== familyOf(this.#to)) throw new Error(`an address of another family: ${to}`);
    [this.#to, this.#port, this.#isTranslated] = [ip as Ip, Number(port), true];
    return "accept";
  }

  /** As the kernel does: an update of what is there starts its time anew and leaves its value. */
  #remember({ op, map, key, value, seconds }: Extract<Statement, { kind: "remember" }>): Verdict | undefined {
    const [at, data] = [this.#value(key), value && this.#value(value)];
    if (at === undefined || (value && data === undefined)) return undefined;
    const { remembered, now } = this.#situation;
    const id = `${map} ${at}`;
    if (op === "delete") {
      remembered.delete(id);
      return "next";
    }
    const until = now + (seconds ?? Number.POSITIVE_INFINITY);
    const standing = remembered.get(id);
    const isThere = standing !== undefined && standing.until > now;
    if (op === "update" || !isThere)
      remembered.set(id, { value: isThere ? standing.value : (data ?? ""), until });
    return "next";
  }

  #matches(left: Expression, right: Operand): boolean {
    const value = this.#value(left);
    // A lookup that finds nothing ends the rule whether it is asked for or against; our rules never ask against one.
    if (value === undefined) return false;
    if (right.kind === "set") return findElement(this.#table.set(right.set), value) !== undefined;
    return right.words.some((word) => matchesWord(value, word));
  }

  #value(expression: Expression): string | undefined {
    switch (expression.kind) {
      case "field":
        return this.#field(expression.field);
      case "literal":
        return expression.value;
      case "random":
        return String(this.#choose(expression.below));
      case "hash":
        // Who the client is, which is all that the hash is for.
        return `hash(${this.#value(expression.of)})`;
      case "bits":
        return this.#bits(expression);
      case "joined":
        return this.#joined(expression.parts);
      case "mapped":
        return this.#mapped(expression);
      default:
        return expression satisfies never;
    }
  }

  #joined(parts: readonly Expression[]): string | undefined {
    const values = parts.map((part) => this.#value(part));
    return values.includes(undefined) ? undefined : values.join(" . ");
  }

  #mapped({ key, map }: Extract<Expression, { kind: "mapped" }>): string | undefined {
    const value = this.#value(key);
    if (value === undefined) return undefined;
    const known = this.#situation.remembered.get(`${map} ${value}`);
    if (known) return known.until > this.#situation.now ? known.value : undefined;
    return findElement(this.#table.set(map), value);
  }

  #bits({ op, left, right }: Extract<Expression, { kind: "bits" }>): string | undefined {
    const value = this.#value(left);
    if (value === undefined) return undefined;
    const number = Number(value);
    const result = op === "&" ? number & right : op === "|" ? number | right : number ^ right;
    return String(result >>> 0);
  }

  #field(field: Extract<Expression, { kind: "field" }>["field"]): string {
    const { from, fromPort = 40_000, protocol, enters = "" } = this.#packet;
    const values = {
      saddr: () => from,
      daddr: () => this.#to,
      l4proto: () => protocol,
      sport: () => String(fromPort),
      dport: () => String(this.#port),
      mark: () => String(this.#mark),
      iifname: () => enters,
      "ct state": () => this.#packet.state ?? "new",
      "ct status": () => (this.#isTranslated ? "dnat" : "none"),
      "ct direction": () => "original",
      nfproto: () => `ipv${familyOf(from)}`,
      "saddr type": () => this.#typeOf(from),
      "daddr type": () => this.#typeOf(this.#to),
    } as const;
    return values[field]();
  }

  #typeOf(ip: Ip): string {
    return this.#situation.locals.has(ip) ? "local" : "unicast";
  }
}
