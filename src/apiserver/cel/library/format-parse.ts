/** One `%…` of a format: what it asks for, such as `.2f`. */
export interface Clause {
  readonly verb: "s" | "d" | "f" | "e" | "b" | "o" | "x" | "X";
  readonly precision: number;
}

/** A format's texts and clauses in turn; an error text where it cannot be read further. */
export type Piece = string | Clause | { readonly problem: string; readonly isAfterArgument: boolean };

const DEFAULT_PRECISION = 6;
const VERBS = "sdfeboxX";

/** The pieces of a format such as `%s has %.2f`; ends behind the first problem. */
export function readFormat(text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < text.length; ) {
    if (text[at] !== "%") {
      const next = text.indexOf("%", at);
      const to = next < 0 ? text.length : next;
      pieces.push(text.slice(at, to));
      at = to;
    } else if (text[at + 1] === "%") {
      pieces.push("%");
      at += 2;
    } else {
      const { piece, size } = clauseAt(text.slice(at + 1));
      pieces.push(piece);
      if (typeof piece === "object" && "problem" in piece) break;
      at += 1 + size;
    }
  }
  return pieces;
}

function clauseAt(text: string): { readonly piece: Piece; readonly size: number } {
  const wrong = (why: string) => ({
    piece: { problem: `could not parse formatting clause: ${why}`, isAfterArgument: true },
    size: 0,
  });
  if (text === "") return { piece: { problem: "unexpected end of string", isAfterArgument: true }, size: 0 };
  const [whole = "", digits] = /^(?:\.(\d*))?/.exec(text) ?? [];
  const verb = text[whole.length];
  if (digits !== undefined && verb === undefined)
    return wrong("error while parsing precision: could not find end of precision specifier");
  if (digits === "")
    return wrong(
      'error while parsing precision: error while converting precision to integer: strconv.Atoi: parsing "": invalid syntax',
    );
  if (!isVerb(verb))
    return wrong(`unrecognized formatting clause "${[...text.slice(whole.length)][0] ?? ""}"`);
  const precision = digits === undefined ? DEFAULT_PRECISION : Number(digits);
  return { piece: { verb, precision }, size: whole.length + 1 };
}

function isVerb(letter: string | undefined): letter is Clause["verb"] {
  return letter !== undefined && VERBS.includes(letter);
}

/** What a clause says of an argument that it cannot show. */
export const MISFITS: Readonly<Record<Clause["verb"], string>> = {
  s: "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps",
  d: "decimal clause can only be used on integers",
  f: "fixed-point clause can only be used on doubles",
  e: "scientific clause can only be used on doubles",
  b: "only integers and bools can be formatted as binary",
  o: "octal clause can only be used on integers",
  x: "only integers, byte buffers, and strings can be formatted as hex",
  X: "only integers, byte buffers, and strings can be formatted as hex",
};
