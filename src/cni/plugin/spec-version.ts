/** Versions of the CNI specification that are spoken here, oldest first. */
export const SPEC_VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;
export type SpecVersion = (typeof SPEC_VERSIONS)[number];

/** What a configuration that names none is written in. */
export const UNNAMED_VERSION: SpecVersion = "0.1.0";

/** What errors are written in when nobody said which version is wanted. */
export const NEWEST_VERSION: SpecVersion = "1.1.0";

export function isSpecVersion(text: unknown): text is SpecVersion {
  return SPEC_VERSIONS.some((version) => version === text);
}

export function isAtLeast(version: SpecVersion, other: SpecVersion): boolean {
  return SPEC_VERSIONS.indexOf(version) >= SPEC_VERSIONS.indexOf(other);
}
