/** What to say of a flag nobody knows: the nearest one that there is, when it is near enough to be what was meant. */
export function notAFlagOf(command: string, name: string, known: readonly string[]): string {
  const near = nearestWord(name, known);
  return `is not a flag of ${command}${near === undefined ? "" : `; did you mean --${near}?`}`;
}

/** One slip in three letters is a slip; more is another word. */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  const ranked = known.map((each) => ({ each, distance: editDistance(word, each) }));
  const [best] = ranked.sort((a, b) => a.distance - b.distance);
  return best && best.distance <= Math.max(1, Math.floor(word.length / 3)) ? best.each : undefined;
}

/** Letters to add, drop or change to make `b` of `a`. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const change = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, change));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
