/** How many rules a `list table` shows. */
export function countRules(listing: string): number {
  let isChain = false;
  let rules = 0;
  for (const line of listing.split("\n").map((text) => text.trim())) {
    if (/^chain .*\{$/.test(line)) isChain = true;
    else if (line === "}") isChain = false;
    else if (isChain && line !== "" && !/^(?:type \w+ hook|policy) /.test(line)) rules += 1;
  }
  return rules;
}
