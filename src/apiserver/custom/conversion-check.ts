import type { CustomResourceConversion, WebhookClientConfig } from "#kube/generated/types";
import { forbidden, invalid, notSupported, required } from "../kinds/field/error.ts";
import { label1035Problems } from "../kinds/field/names.ts";
import type { FieldError } from "../kinds/kind.ts";
import { bundleProblem } from "./bundle.ts";

const STRATEGIES = ["None", "Webhook"];
const REVIEW_VERSIONS = ["v1", "v1beta1"];

/** What is wrong with how versions are converted. */
export function conversionErrors(
  path: string,
  conversion: CustomResourceConversion | undefined,
  options: { readonly mayHaveBadBundle: boolean },
): FieldError[] {
  if (conversion === undefined) return [];
  const { strategy = "", webhook } = conversion;
  if (strategy === "") return [required(`${path}.strategy`)];
  if (!STRATEGIES.includes(strategy)) return [notSupported(`${path}.strategy`, strategy, STRATEGIES)];
  if (strategy === "Webhook")
    return [
      ...clientErrors(`${path}.webhookClientConfig`, webhook?.clientConfig, options),
      ...reviewErrors(`${path}.conversionReviewVersions`, webhook?.conversionReviewVersions ?? []),
    ];
  const errors: FieldError[] = [];
  const detail = "should not be set when strategy is not set to Webhook";
  if (webhook?.clientConfig !== undefined) errors.push(forbidden(`${path}.webhookClientConfig`, detail));
  if ((webhook?.conversionReviewVersions ?? []).length > 0)
    errors.push(forbidden(`${path}.conversionReviewVersions`, detail));
  return errors;
}

function clientErrors(
  path: string,
  config: WebhookClientConfig | undefined,
  { mayHaveBadBundle }: { readonly mayHaveBadBundle: boolean },
): FieldError[] {
  if (config === undefined) return [required(path, "required when strategy is set to Webhook")];
  const { url, service, caBundle = "" } = config;
  const errors: FieldError[] = [];
  if ((url === undefined) === (service === undefined))
    errors.push(required(path, "exactly one of url or service is required"));
  else if (url !== undefined) errors.push(...urlErrors(`${path}.url`, url));
  else if (service !== undefined) errors.push(...serviceErrors(`${path}.service`, service));
  const problem = caBundle === "" || mayHaveBadBundle ? undefined : bundleProblem(caBundle);
  if (problem !== undefined) errors.push(invalid(`${path}.caBundle`, caBundle, problem));
  return errors;
}

function urlErrors(path: string, text: string): FieldError[] {
  const form = "; desired format: https://host[/path]";
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return [
      required(
        path,
        `url must be a valid URL: parse ${JSON.stringify(text)}: invalid URI for request${form}`,
      ),
    ];
  }
  const errors: FieldError[] = [];
  const refuse = (detail: string) => errors.push(invalid(path, text, detail + form));
  if (url.protocol !== "https:") refuse(`'https' is the only allowed URL scheme`);
  if (url.host === "") refuse("host must be specified");
  if (url.username !== "" || url.password !== "") refuse("user information is not permitted in the URL");
  if (url.hash !== "") refuse("fragments are not permitted in the URL");
  if (url.search !== "") refuse("query parameters are not permitted in the URL");
  return errors;
}

function serviceErrors(
  path: string,
  { name, namespace, port = 443, path: urlPath }: NonNullable<WebhookClientConfig["service"]>,
): FieldError[] {
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${path}.name`, "service name is required"));
  if (!namespace) errors.push(required(`${path}.namespace`, "service namespace is required"));
  if (port < 1 || port > 65535)
    errors.push(invalid(`${path}.port`, port, "port is not valid: must be between 1 and 65535, inclusive"));
  if (urlPath !== undefined && urlPath !== "" && !urlPath.startsWith("/"))
    errors.push(invalid(`${path}.path`, urlPath, "must start with a '/'"));
  return errors;
}

function reviewErrors(path: string, versions: readonly string[]): FieldError[] {
  if (versions.length === 0) return [required(path)];
  const errors = versions.flatMap((version, i) => {
    if (versions.indexOf(version) < i) return [invalid(`${path}[${i}]`, version, "duplicate version")];
    return label1035Problems(version).map((why) => invalid(`${path}[${i}]`, version, why));
  });
  if (!versions.some((version) => REVIEW_VERSIONS.includes(version)))
    errors.push(invalid(path, versions, `must include at least one of ${REVIEW_VERSIONS.join(", ")}`));
  return errors;
}
