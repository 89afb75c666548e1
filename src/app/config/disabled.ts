import { nearestWord } from "#fault/near-word";
import type { ValueReader } from "./value-reader.ts";

/** What a server packages, and what K3s does: those that are not here are left out already. */
const COMPONENTS = [
  ...["ccm", "coredns", "servicelb"],
  ...["local-storage", "metrics-server", "rolebindings", "runtimes", "traefik"],
];

/** The components that `--disable` leaves out. A word that none of them is may be anybody's manifest, or a slip: the latter is told. */
export function readDisabled(reader: ValueReader): readonly string[] {
  const names = reader.list("disable");
  for (const name of names) {
    const near = COMPONENTS.includes(name) ? undefined : nearestWord(name, COMPONENTS);
    if (near !== undefined)
      reader.warnings.push(`--disable=${name}: no component has that name; did you mean ${near}?`);
  }
  return names;
}
