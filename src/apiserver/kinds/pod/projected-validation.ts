import type { KeyToPath, ProjectedVolumeSource, VolumeProjection } from "#kube/generated/types";
import { forbidden, invalid, required } from "../field/error.ts";
import { validateLabelSelector } from "../field/labels.ts";
import { validateFilePath } from "../field/paths.ts";
import type { FieldError } from "../kind.ts";
import { validateDownwardFile, validateMode } from "./downward-validation.ts";

const MIN_TOKEN_SECONDS = 10 * 60;
const MAX_TOKEN_SECONDS = 2 ** 32;

/** Several sources in one volume: each of one type, no file twice. */
export function validateProjected(path: string, volume: ProjectedVolumeSource): readonly FieldError[] {
  const files = new Set<string>();
  const errors = [...validateMode(`${path}.defaultMode`, volume.defaultMode)];
  (volume.sources ?? []).forEach((source, i) => {
    const at = `${path}.sources[${i}]`;
    errors.push(...validateSource(path, at, source));
    for (const [file, value] of filesOf(source)) {
      if (files.has(file)) errors.push(invalid(path, value, "conflicting duplicate paths"));
      files.add(file);
    }
    const types = Object.values(source).filter((one) => one !== undefined);
    if (types.length > 1) errors.push(forbidden(at, "may not specify more than 1 volume type per source"));
  });
  return errors;
}

function validateSource(path: string, at: string, source: VolumeProjection): readonly FieldError[] {
  const { secret, configMap, downwardAPI, serviceAccountToken: token, clusterTrustBundle: bundle } = source;
  return [
    ...(secret ? validateNamed(`${at}.secret`, secret) : []),
    ...(configMap ? validateNamed(`${at}.configMap`, configMap) : []),
    ...(downwardAPI?.items ?? []).flatMap((file) => validateDownwardFile(`${at}.downwardAPI`, file)),
    ...(token ? validateToken(path, `${at}.serviceAccountToken`, token) : []),
    ...(bundle ? validateBundle(`${at}.clusterTrustBundle`, bundle) : []),
  ];
}

function validateNamed(
  path: string,
  { name, items }: { readonly name?: string | undefined; readonly items?: readonly KeyToPath[] | undefined },
): readonly FieldError[] {
  return [...(name ? [] : [required(`${path}.name`)]), ...validateItems(`${path}.items`, items)];
}

/** Which keys become files, and where. */
export function validateItems(path: string, items: readonly KeyToPath[] | undefined): readonly FieldError[] {
  return (items ?? []).flatMap(({ key, path: file, mode }, i) => {
    const at = `${path}[${i}]`;
    return [
      ...(key ? [] : [required(`${at}.key`)]),
      ...(file ? [] : [required(`${at}.path`)]),
      ...validateFilePath(`${at}.path`, file ?? ""),
      ...validateMode(`${at}.mode`, mode),
    ];
  });
}

type Token = NonNullable<VolumeProjection["serviceAccountToken"]>;

function validateToken(path: string, at: string, { expirationSeconds = 3600, path: file }: Token) {
  const errors: FieldError[] = [];
  const seconds = `${at}.expirationSeconds`;
  if (expirationSeconds < MIN_TOKEN_SECONDS)
    errors.push(invalid(seconds, expirationSeconds, "may not specify a duration less than 10 minutes"));
  if (expirationSeconds > MAX_TOKEN_SECONDS)
    errors.push(invalid(seconds, expirationSeconds, "may not specify a duration larger than 2^32 seconds"));
  return [...errors, ...(file ? validateFilePath(`${path}.path`, file) : [required(`${path}.path`)])];
}

type Bundle = NonNullable<VolumeProjection["clusterTrustBundle"]>;

function validateBundle(at: string, bundle: Bundle): readonly FieldError[] {
  const { name, signerName, labelSelector, path: file } = bundle;
  const errors: FieldError[] = [];
  if (name !== undefined && signerName !== undefined)
    errors.push(invalid(at, bundle, "only one of name and signerName may be used"));
  else if (name !== undefined) {
    if (name === "") errors.push(required(`${at}.name`, "must be a valid object name"));
    if (labelSelector !== undefined)
      errors.push(
        invalid(`${at}.labelSelector`, labelSelector, "labelSelector must be unset if name is specified"),
      );
  } else if (signerName !== undefined) {
    if (signerName === "") errors.push(required(`${at}.signerName`, "must be a valid signer name"));
    errors.push(...validateLabelSelector(`${at}.labelSelector`, labelSelector));
  } else errors.push(required(at, "either name or signerName must be specified"));
  if (!file) errors.push(required(`${at}.path`));
  return [...errors, ...validateFilePath(`${at}.path`, file ?? "")];
}

/** Each file that the source makes, with what a complaint about it quotes. */
function filesOf(source: VolumeProjection): readonly (readonly [string, string])[] {
  const { secret, configMap, downwardAPI, clusterTrustBundle } = source;
  const named = [secret, configMap].flatMap((one) =>
    (one?.items ?? []).map(({ path }) => [path, one?.name ?? ""] as const),
  );
  const files = (downwardAPI?.items ?? []).map(({ path }) => [path, path] as const);
  const bundle = clusterTrustBundle?.path;
  return [...named, ...files, ...(bundle ? [[bundle, bundle] as const] : [])].filter(([path]) => path !== "");
}
