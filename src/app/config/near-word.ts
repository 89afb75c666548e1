import { nearestWord } from "#fault/near-word";

/** What to say of a flag nobody knows: the nearest one that there is, when it is near enough to be what was meant. */
export function notAFlagOf(command: string, name: string, known: readonly string[]): string {
  const near = nearestWord(name, known);
  return `is not a flag of ${command}${near === undefined ? "" : `; did you mean --${near}?`}`;
}
