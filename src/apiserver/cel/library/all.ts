import type { Overload } from "../declare.ts";
import { byName } from "../environment.ts";
import { arithmetic } from "./arithmetic.ts";
import { conversions } from "./conversions.ts";
import { formats } from "./formats.ts";
import { lists } from "./lists.ts";
import { net } from "./net.ts";
import { optionals } from "./optionals.ts";
import { quantities } from "./quantity.ts";
import { regex } from "./regex.ts";
import { semver } from "./semver.ts";
import { sets } from "./sets.ts";
import { standard } from "./standard.ts";
import { strings } from "./strings.ts";
import { times } from "./times.ts";
import { urls } from "./urls.ts";

let functions: ReadonlyMap<string, readonly Overload[]> | undefined;

/** Every function of Kubernetes' CEL environment, by name. */
export function standardFunctions(): ReadonlyMap<string, readonly Overload[]> {
  functions ??= byName(
    [
      ...[arithmetic, standard, conversions, times, strings, regex, lists, sets, optionals],
      ...[urls, net, quantities, semver, formats],
    ].flatMap((library) => library()),
  );
  return functions;
}
