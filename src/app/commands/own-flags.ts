/** Values of our own flags; the rest of the words in their order. */
export function takeOwnFlags(
  argv: readonly string[],
  valued: readonly string[],
  switches: readonly string[],
) {
  const values = new Map<string, string>();
  const rest: string[] = [];
  const problems: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const match = /^--([a-z-]+)(?:=([\s\S]*))?$/.exec(argv[i] ?? "");
    const name = match?.[1] ?? "";
    if (switches.includes(name)) {
      if (match?.[2] === undefined) values.set(name, "true");
      else problems.push(`--${name} takes no value`);
    } else if (valued.includes(name)) {
      const value = match?.[2] ?? argv[++i];
      if (value === undefined || value === "") problems.push(`--${name} needs a value`);
      else values.set(name, value);
    } else rest.push(argv[i] ?? "");
  }
  return { values, rest, problems };
}
