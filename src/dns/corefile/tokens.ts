import type { Place } from "./fault.ts";

export interface Token extends Place {
  readonly text: string;
}

/** One line of a Corefile that holds something. */
export type TokenLine = readonly [Token, ...Token[]];

/** Cuts a Corefile into words, line by line, with `{$NAME}` and `{%NAME%}` replaced from the environment.
 *  `#` starts a comment between words; a word that starts with `"` runs to the next unescaped quote, over lines if need be. */
export function readTokens(
  text: string,
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): TokenLine[] {
  const pattern = /"((?:[^"\\]|\\[\s\S])*)"|#[^\n]*|\n|[^\s"][^\s]*|"/g;
  const lines: [Token, ...Token[]][] = [];
  let line = 1;
  let isFresh = true;
  for (const match of text.replace(/^\uFEFF/, "").matchAll(pattern)) {
    const [word, quoted] = match;
    if (word === "\n") {
      line++;
      isFresh = true;
    } else if (!word.startsWith("#")) {
      const plain = quoted === undefined ? word : quoted.replaceAll('\\"', '"');
      const token: Token = { text: fromEnvironment(plain, env), file, line };
      const current = lines.at(-1);
      if (isFresh || current === undefined) lines.push([token]);
      else current.push(token);
      isFresh = false;
      line += quoted?.split("\n").slice(1).length ?? 0;
    }
  }
  return lines;
}

function fromEnvironment(text: string, env: Readonly<Record<string, string | undefined>>): string {
  return text.replace(
    /\{\$([^{}]+)\}|\{%([^{}]+)%\}/g,
    (_, a?: string, b?: string) => env[a ?? b ?? ""] ?? "",
  );
}
