/** Versions of the specification that this runtime speaks, oldest first. */
export const SPOKEN_VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;
export const NEWEST_VERSION = "1.1.0";
/** What a configuration without a version means. */
export const IMPLIED_VERSION = "0.1.0";

/** Negative, zero or positive, as `a` is older than, equal to or newer than `b`. @throws {SyntaxError} */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)];
  for (const [i, number] of left.entries()) {
    const difference = number - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function isAtLeast(version: string, least: string): boolean {
  return compareVersions(version, least) >= 0;
}

/** The versions a list offers that this runtime knows, newest first. `cniVersion` alone is offered whatever it is: then the
 *  plugins are the ones to refuse it. @throws {SyntaxError} */
export function offeredVersions(version: string, versions: readonly string[]): readonly string[] {
  if (versions.length === 0) return [version === "" ? IMPLIED_VERSION : version];
  const all = version === "" ? versions : [...versions, version];
  const known = [...new Set(all)].filter((one) => compareVersions(one, NEWEST_VERSION) <= 0);
  if (known.length === 0) return [version === "" ? IMPLIED_VERSION : version];
  return known.sort((a, b) => compareVersions(b, a));
}

/** The newest offer that every plugin says it supports; the newest of all when there is none, or a plugin does not say. */
export function chooseVersion(
  offered: readonly string[],
  supported: readonly (readonly string[] | undefined)[],
): string {
  const [newest = IMPLIED_VERSION] = offered;
  if (supported.some((versions) => versions === undefined)) return newest;
  return offered.find((version) => supported.every((versions) => versions?.includes(version))) ?? newest;
}

function numbersOf(version: string): readonly [number, number, number] {
  const match = /^(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?$/.exec(
    version === "" ? IMPLIED_VERSION : version,
  );
  if (!match) throw new SyntaxError(`${JSON.stringify(version)} is no version`);
  const [, major = "0", minor = "0", micro = "0"] = match;
  return [Number(major), Number(minor), Number(micro)];
}
