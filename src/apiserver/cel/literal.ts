import type { Literal } from "./ast.ts";
import { SyntaxIssue } from "./fault.ts";
import type { Token } from "./lex.ts";
import { isInt64, isUint64 } from "./numbers.ts";
import { BOOL, BYTES, DOUBLE, INT, NULL, STRING, type Type, UINT } from "./types.ts";
import { Uint, type Value } from "./value.ts";

/** A literal's node. @throws {SyntaxIssue} */
export function literal(token: Token): Literal {
  const node = (type: Type, value: Value): Literal => ({
    kind: "literal",
    type,
    value,
    at: token.at,
    depth: 1,
  });
  switch (token.kind) {
    case "text":
      return node(STRING, token.value);
    case "bytes":
      return node(BYTES, token.value);
    case "int":
      return node(INT, intLiteral(BigInt(token.text), token.at));
    case "uint":
      return node(UINT, new Uint(uintLiteral(BigInt(token.text.slice(0, -1)), token.at)));
    case "double":
      return node(DOUBLE, doubleLiteral(token.text, token.at));
    default:
      return token.text === "null" ? node(NULL, null) : node(BOOL, token.text === "true");
  }
}

/** `-` and a number together: the smallest int cannot be said otherwise. @throws {SyntaxIssue} */
export function negativeLiteral(token: Token, at: number): Literal {
  if (token.kind === "double")
    return { kind: "literal", type: DOUBLE, value: -doubleLiteral(token.text, at), at, depth: 1 };
  return { kind: "literal", type: INT, value: intLiteral(-BigInt(token.text), at), at, depth: 1 };
}

function intLiteral(value: bigint, at: number): bigint {
  if (!isInt64(value)) throw new SyntaxIssue(at, "invalid int literal");
  return value;
}

function uintLiteral(value: bigint, at: number): bigint {
  if (!isUint64(value)) throw new SyntaxIssue(at, "invalid uint literal");
  return value;
}

function doubleLiteral(text: string, at: number): number {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new SyntaxIssue(at, "invalid double literal");
  return value;
}
