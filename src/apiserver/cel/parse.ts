import { type Call, depthOf, type Expr, type FieldEntry, type ListItem, type MapEntry } from "./ast.ts";
import { SyntaxIssue } from "./fault.ts";
import { type Token, tokens } from "./lex.ts";
import { literal, negativeLiteral } from "./literal.ts";

/** How deep an expression may nest, brackets in brackets. */
const DEEPEST_NESTING = 250;
/** How long a chain such as `a + a + a` may be. */
const DEEPEST_TREE = 1000;
const LONGEST_SOURCE = 100_000;
const RESERVED = new Set(
  "as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
);
const KEYWORDS = new Set(["true", "false", "null", "in"]);
const STARTS =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";
/** Left-associative operators, loosest first. */
const LEVELS: readonly (readonly string[])[] = [
  ["<", "<=", ">", ">=", "==", "!=", "in"],
  ["+", "-"],
  ["*", "/", "%"],
];

/** The tree of an expression. @throws {SyntaxIssue} */
export function parse(source: string): Expr {
  if (source.length > LONGEST_SOURCE)
    throw new SyntaxIssue(
      0,
      `expression code point size exceeds limit: size: ${source.length}, limit ${LONGEST_SOURCE}`,
    );
  const parser = new Parser(tokens(source));
  return parser.whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #nesting = 0;

  constructor(list: readonly Token[]) {
    this.#tokens = list;
  }

  whole(): Expr {
    const expr = this.#expr();
    if (this.#peek().kind !== "end") throw this.#unexpected("<EOF>");
    return expr;
  }

  #expr(): Expr {
    if (++this.#nesting > DEEPEST_NESTING)
      throw new SyntaxIssue(this.#peek().at, `expression recursion limit exceeded: ${DEEPEST_NESTING}`);
    const condition = this.#or();
    const mark = this.#accept("?");
    let expr = condition;
    if (mark) {
      const yes = this.#or();
      this.#expect(":");
      expr = call("_?_:_", [condition, yes, this.#expr()], mark.at);
    }
    this.#nesting--;
    return expr;
  }

  #or(): Expr {
    return this.#logic("||", "_||_", () => this.#logic("&&", "_&&_", () => this.#binary(0)));
  }

  /** `a && b && c` as a balanced tree: long conditions stay shallow. */
  #logic(sign: string, name: string, operand: () => Expr): Expr {
    const terms = [operand()];
    const places: number[] = [];
    for (let mark = this.#accept(sign); mark; mark = this.#accept(sign)) {
      places.push(mark.at);
      terms.push(operand());
    }
    return balance(name, terms, places);
  }

  #binary(level: number): Expr {
    const signs = LEVELS[level];
    if (signs === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (let mark = this.#acceptAny(signs); mark; mark = this.#acceptAny(signs)) {
      const name = mark.text === "in" ? "@in" : `_${mark.text}_`;
      left = this.#shallow(call(name, [left, this.#binary(level + 1)], mark.at));
    }
    return left;
  }

  #unary(): Expr {
    const sign = this.#acceptAny(["!", "-"]);
    if (!sign) return this.#member(this.#primary());
    if (sign.text === "-") {
      const number = this.#peek();
      if (number.kind === "int" || number.kind === "double") {
        this.#next++;
        return this.#member(negativeLiteral(number, sign.at));
      }
    }
    let count = 1;
    while (this.#accept(sign.text)) count++;
    const operand = this.#member(this.#primary());
    return count % 2 === 0 ? operand : call(sign.text === "!" ? "!_" : "-_", [operand], sign.at);
  }

  #member(start: Expr): Expr {
    let expr = start;
    for (;;) {
      const sign = this.#acceptAny([".", "["]);
      if (!sign) return expr;
      expr = this.#shallow(sign.text === "." ? this.#selection(expr, sign.at) : this.#index(expr, sign.at));
    }
  }

  #selection(operand: Expr, at: number): Expr {
    const isOptional = this.#accept("?") !== undefined;
    const field = this.#fieldName();
    const open = isOptional ? undefined : this.#accept("(");
    if (open) {
      const args = this.#arguments(")");
      return {
        kind: "call",
        name: field,
        target: operand,
        args,
        at: open.at,
        depth: depthOf(operand, ...args),
      };
    }
    return { kind: "select", operand, field, isOptional, at, depth: depthOf(operand) };
  }

  #index(operand: Expr, at: number): Expr {
    const isOptional = this.#accept("?") !== undefined;
    const index = this.#expr();
    this.#expect("]");
    return call(isOptional ? "_[?_]" : "_[_]", [operand, index], at);
  }

  #primary(): Expr {
    const token = this.#take();
    if (token.kind === "name") return this.#named(token);
    if (token.kind === "sign") return this.#bracketed(token);
    if (token.kind === "end" || token.kind === "quoted-name") throw this.#unexpected(STARTS, token);
    return literal(token);
  }

  #named(token: Token): Expr {
    const { text, at } = token;
    if (text === "true" || text === "false" || text === "null") return literal(token);
    if (text === "in") throw this.#unexpected(STARTS, token);
    if (RESERVED.has(text)) throw new SyntaxIssue(at, `reserved identifier: ${text}`);
    const open = this.#accept("(");
    if (open) return call(text, this.#arguments(")"), open.at);
    const name = this.#structName(text);
    if (name !== undefined) return this.#struct(name);
    return { kind: "ident", name: text, at, depth: 1 };
  }

  /** `A.b.C` when a `{` follows; otherwise nothing is taken. */
  #structName(first: string): string | undefined {
    let ahead = this.#next;
    let name = first;
    while (this.#tokens[ahead]?.text === "." && this.#tokens[ahead + 1]?.kind === "name") {
      name += `.${this.#tokens[ahead + 1]?.text}`;
      ahead += 2;
    }
    const open = this.#tokens[ahead];
    if (open?.kind !== "sign" || open.text !== "{") return undefined;
    this.#next = ahead;
    return name;
  }

  #bracketed(token: Token): Expr {
    const { text, at } = token;
    if (text === "(") {
      const expr = this.#expr();
      this.#expect(")");
      return expr;
    }
    if (text === "[") {
      const items = this.#until("]", () => this.#item());
      return { kind: "list", items, at, depth: depthOf(...items.map(({ value }) => value)) };
    }
    if (text === "{") {
      const entries = this.#until("}", () => this.#entry());
      return {
        kind: "map",
        entries,
        at,
        depth: depthOf(...entries.flatMap(({ key, value }) => [key, value])),
      };
    }
    if (text === "." && this.#peek().kind === "name") return this.#named(this.#take());
    const number = this.#peek();
    if (text === "-" && (number.kind === "int" || number.kind === "double"))
      return negativeLiteral(this.#take(), at);
    throw this.#unexpected(STARTS, token);
  }

  #struct(name: string): Expr {
    const { at } = this.#expect("{");
    const fields = this.#until("}", () => this.#field());
    return { kind: "struct", name, fields, at, depth: depthOf(...fields.map(({ value }) => value)) };
  }

  #item(): ListItem {
    const isOptional = this.#accept("?") !== undefined;
    return { value: this.#expr(), isOptional };
  }

  #entry(): MapEntry {
    const isOptional = this.#accept("?") !== undefined;
    const key = this.#expr();
    this.#expect(":");
    return { key, value: this.#expr(), isOptional };
  }

  #field(): FieldEntry {
    const isOptional = this.#accept("?") !== undefined;
    const name = this.#fieldName();
    const { at } = this.#expect(":");
    return { name, at, value: this.#expr(), isOptional };
  }

  #fieldName(): string {
    const token = this.#take();
    if (token.kind === "quoted-name") throw new SyntaxIssue(token.at, "unsupported syntax: '`'");
    if (token.kind === "name" && !KEYWORDS.has(token.text)) return token.text;
    throw this.#unexpected("IDENTIFIER", token);
  }

  #arguments(closing: string): readonly Expr[] {
    return this.#until(closing, () => this.#expr(), { mayTrail: false });
  }

  /** What stands between commas up to `closing`, which is taken; a comma may trail. */
  #until<T>(
    closing: string,
    one: () => T,
    options: { mayTrail: boolean } = { mayTrail: true },
  ): readonly T[] {
    const found: T[] = [];
    while (!this.#accept(closing)) {
      if (found.length > 0) {
        if (!this.#accept(",")) throw this.#unexpected(`{'${closing}', ','}`);
        if (options.mayTrail && this.#accept(closing)) break;
      }
      found.push(one());
    }
    return found;
  }

  #shallow(expr: Expr): Expr {
    if (expr.depth > DEEPEST_TREE)
      throw new SyntaxIssue(expr.at, `expression recursion limit exceeded: ${DEEPEST_TREE}`);
    return expr;
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: "end", text: "<EOF>", at: 0 };
  }

  #take(): Token {
    const token = this.#peek();
    if (token.kind !== "end") this.#next++;
    return token;
  }

  #accept(sign: string): Token | undefined {
    return this.#acceptAny([sign]);
  }

  #acceptAny(signs: readonly string[]): Token | undefined {
    const token = this.#peek();
    if ((token.kind !== "sign" && token.kind !== "name") || !signs.includes(token.text)) return undefined;
    this.#next++;
    return token;
  }

  #expect(sign: string): Token {
    const token = this.#accept(sign);
    if (!token) throw this.#unexpected(`'${sign}'`);
    return token;
  }

  #unexpected(expected: string, token: Token = this.#peek()): SyntaxIssue {
    return new SyntaxIssue(token.at, `Syntax error: mismatched input '${token.text}' expecting ${expected}`);
  }
}

function call(name: string, args: readonly Expr[], at: number): Call {
  return { kind: "call", name, target: undefined, args, at, depth: depthOf(...args) };
}

function balance(name: string, terms: readonly Expr[], places: readonly number[]): Expr {
  const [only] = terms;
  if (only !== undefined && terms.length === 1) return only;
  const middle = terms.length >> 1;
  const left = balance(name, terms.slice(0, middle), places.slice(0, middle - 1));
  return call(
    name,
    [left, balance(name, terms.slice(middle), places.slice(middle))],
    places[middle - 1] ?? 0,
  );
}
