import type { Container, EnvFromSource, EnvVar } from "#kube/generated/types";
import { configKeyProblems } from "../core/config-key.ts";
import { invalid, problems, required } from "../field/error.ts";
import { subdomainProblems } from "../field/names.ts";
import type { FieldError } from "../kind.ts";
import { ENV_FIELDS, validateFieldRef, validateResourceRef } from "./downward-validation.ts";

/** Printable ASCII without the sign that ends the name. */
const ENV_NAME = /^[ -<>-~]+$/;
const ENV_RULE =
  "a valid environment variable name must consist only of printable ASCII characters other than '='";

export function validateEnvironment(path: string, { env, envFrom }: Container): readonly FieldError[] {
  return [
    ...(env ?? []).flatMap((entry, i) => validateEnv(`${path}.env[${i}]`, entry)),
    ...(envFrom ?? []).flatMap((entry, i) => validateEnvFrom(`${path}.envFrom`, i, entry)),
  ];
}

function validateEnv(path: string, { name, value = "", valueFrom }: EnvVar): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${path}.name`));
  else if (!ENV_NAME.test(name)) errors.push(invalid(`${path}.name`, name, ENV_RULE));
  if (valueFrom === undefined) return errors;
  const at = `${path}.valueFrom`;
  errors.push(...validateSources(at, valueFrom));
  const count = Object.values(valueFrom).filter((source) => source !== undefined).length;
  if (count === 0)
    errors.push(
      invalid(
        at,
        "",
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
      ),
    );
  else if (value !== "") errors.push(invalid(at, "", "may not be specified when `value` is not empty"));
  else if (count > 1) errors.push(invalid(at, "", "may not have more than one field specified at a time"));
  return errors;
}

function validateSources(path: string, from: NonNullable<EnvVar["valueFrom"]>): readonly FieldError[] {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = from;
  return [
    ...(fieldRef ? validateFieldRef(`${path}.fieldRef`, fieldRef, ENV_FIELDS) : []),
    ...(resourceFieldRef
      ? validateResourceRef(`${path}.resourceFieldRef`, resourceFieldRef, { isFile: false })
      : []),
    ...(configMapKeyRef ? validateKeyRef(`${path}.configMapKeyRef`, configMapKeyRef) : []),
    ...(secretKeyRef ? validateKeyRef(`${path}.secretKeyRef`, secretKeyRef) : []),
    ...(fileKeyRef
      ? (["volumeName", "path", "key"] as const)
          .filter((field) => !fileKeyRef[field])
          .map((field) => required(`${path}.fileKeyRef.${field}`))
      : []),
  ];
}

function validateKeyRef(
  path: string,
  { name = "", key }: { readonly name?: string | undefined; readonly key: string },
): readonly FieldError[] {
  return [
    ...problems(`${path}.name`, name, subdomainProblems(name)),
    ...(key ? problems(`${path}.key`, key, configKeyProblems(key)) : [required(`${path}.key`)]),
  ];
}

function validateEnvFrom(
  path: string,
  i: number,
  { prefix = "", configMapRef, secretRef }: EnvFromSource,
): readonly FieldError[] {
  const at = `${path}[${i}]`;
  const errors: FieldError[] = [];
  if (prefix !== "" && !ENV_NAME.test(prefix)) errors.push(invalid(`${at}.prefix`, prefix, ENV_RULE));
  for (const [field, ref] of Object.entries({ configMapRef, secretRef })) {
    if (ref === undefined) continue;
    const { name = "" } = ref;
    errors.push(
      ...(name === ""
        ? [required(`${at}.${field}.name`)]
        : problems(`${at}.${field}.name`, name, subdomainProblems(name))),
    );
  }
  if (configMapRef === undefined && secretRef === undefined)
    errors.push(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"));
  if (configMapRef !== undefined && secretRef !== undefined)
    errors.push(invalid(path, "", "may not have more than one field specified at a time"));
  return errors;
}
