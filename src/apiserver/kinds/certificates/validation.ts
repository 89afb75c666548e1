import { explain, Fault } from "#fault/fault";
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from "#kube/generated/types";
import { readCertificateRequest } from "#kube/x509/certificate-request";
import { duplicate, forbidden, invalid, notSupported, required } from "../field/error.ts";
import { sameJson } from "../field/same.ts";
import type { FieldError, Part } from "../kind.ts";

const LEAST_SECONDS = 600;
const LEGACY_SIGNER = "kubernetes.io/legacy-unknown";
const FINAL = ["Approved", "Denied", "Failed"];

/** What a certificate may be used for. */
const USAGES = [
  "any",
  "cert sign",
  "client auth",
  "code signing",
  "content commitment",
  "crl sign",
  "data encipherment",
  "decipher only",
  "digital signature",
  "email protection",
  "encipher only",
  "ipsec end system",
  "ipsec tunnel",
  "ipsec user",
  "key agreement",
  "key encipherment",
  "microsoft sgc",
  "netscape sgc",
  "ocsp signing",
  "s/mime",
  "server auth",
  "signing",
  "timestamping",
];

/** @see kubernetes pkg/apis/certificates/validation */
export function validateRequest({ spec }: CertificateSigningRequest): readonly FieldError[] {
  const errors: FieldError[] = [];
  const why = whyUnreadable(spec.request);
  if (why !== undefined) errors.push(invalid("spec.request", spec.request, why));
  const usages = spec.usages ?? [];
  if (usages.length === 0) errors.push(required("spec.usages"));
  for (const [i, usage] of usages.entries()) {
    if (!USAGES.includes(usage)) errors.push(notSupported(`spec.usages[${i}]`, usage, USAGES));
    if (usages.indexOf(usage) < i) errors.push(duplicate(`spec.usages[${i}]`, usage));
  }
  errors.push(...validateSigner(spec.signerName));
  if (spec.expirationSeconds !== undefined && spec.expirationSeconds < LEAST_SECONDS)
    errors.push(
      invalid(
        "spec.expirationSeconds",
        spec.expirationSeconds,
        "may not specify a duration less than 600 seconds (10 minutes)",
      ),
    );
  return errors;
}

function whyUnreadable(request: string): string | undefined {
  try {
    readCertificateRequest(Buffer.from(request ?? "", "base64").toString("utf8"));
    return undefined;
  } catch (error) {
    if (error instanceof Fault) return explain(error);
    throw error;
  }
}

const LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SIGNER = new RegExp(`^${LABEL}(\\.${LABEL})+/${LABEL}(\\.${LABEL})*(:[-A-Za-z0-9_.:]*)?$`);
const LONGEST_SIGNER = 571;

function validateSigner(name: string | undefined): readonly FieldError[] {
  const path = "spec.signerName";
  if (!name) return [required(path)];
  if (name === LEGACY_SIGNER)
    return [invalid(path, name, "the legacy signerName is not allowed via this API version")];
  if (name.length > LONGEST_SIGNER)
    return [{ type: "TooLong", path, detail: `may not be more than ${LONGEST_SIGNER} bytes` }];
  if (name.split("/").length !== 2)
    return [
      invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'"),
    ];
  return SIGNER.test(name)
    ? []
    : [
        invalid(
          path,
          name,
          "must be a fully qualified domain and path of the form 'example.com/signer-name': a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        ),
      ];
}

export function validateStatus({ status }: CertificateSigningRequest): readonly FieldError[] {
  const conditions = status?.conditions ?? [];
  const errors = conditions.flatMap((condition, i) =>
    validateCondition(condition, `status.conditions[${i}]`),
  );
  const types = conditions.map(({ type }) => type);
  for (const [i, type] of types.entries())
    if (types.indexOf(type) < i) errors.push(duplicate(`status.conditions[${i}].type`, type));
  if (types.includes("Approved") && types.includes("Denied"))
    errors.push(
      invalid(
        "status.conditions",
        types.indexOf("Approved") > types.indexOf("Denied") ? "Approved" : "Denied",
        "Approved and Denied conditions are mutually exclusive",
      ),
    );
  return [...errors, ...validateCertificate(status?.certificate ?? "")];
}

function validateCondition({ type, status }: CertificateSigningRequestCondition, path: string): FieldError[] {
  const errors = type ? [] : [required(`${path}.type`)];
  const allowed = FINAL.includes(type) ? ["True"] : ["True", "False", "Unknown"];
  if (!status) errors.push(required(`${path}.status`));
  else if (!allowed.includes(status)) errors.push(notSupported(`${path}.status`, status, allowed));
  return errors;
}

const BLOCK = /-----BEGIN ([^-\n]+)-----[\s\S]*?-----END \1-----/g;

function validateCertificate(base64: string): readonly FieldError[] {
  if (base64 === "") return [];
  const types = [...Buffer.from(base64, "base64").toString("utf8").matchAll(BLOCK)].map(([, type]) => type);
  if (types.length === 0)
    return [
      invalid("status.certificate", "<certificate data>", "must contain at least one CERTIFICATE PEM block"),
    ];
  const other = types.find((type) => type !== "CERTIFICATE");
  return other === undefined
    ? []
    : [
        invalid(
          "status.certificate",
          "<certificate data>",
          `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(other)}`,
        ),
      ];
}

/** Decisions and certificates are made once, each by its own route. */
export function validateConditionChange(
  part: Part,
  request: CertificateSigningRequest,
  stored: CertificateSigningRequest,
): readonly FieldError[] {
  const changes = FINAL.flatMap((type) => changeOf(type, part, request, stored));
  const isRemoval = ({ detail }: FieldError) => detail.startsWith("updates may not remove");
  const errors = [...changes.filter(isRemoval), ...changes.filter((each) => !isRemoval(each))];
  const [before, after] = [stored.status?.certificate ?? "", request.status?.certificate ?? ""];
  if (before === after) return errors;
  if (part !== "status")
    errors.push(forbidden("status.certificate", "updates may not set certificate content"));
  else if (before !== "")
    errors.push(forbidden("status.certificate", "updates may not modify existing certificate content"));
  return errors;
}

function changeOf(
  type: string,
  part: Part,
  request: CertificateSigningRequest,
  stored: CertificateSigningRequest,
): FieldError[] {
  const of = ({ status }: CertificateSigningRequest) =>
    (status?.conditions ?? []).filter((condition) => condition.type === type);
  const [before, after] = [of(stored), of(request)];
  const refuse = (verb: string) => [
    forbidden("status.conditions", `updates may not ${verb} a condition of type ${JSON.stringify(type)}`),
  ];
  if (after.length < before.length) return refuse("remove");
  const isDecision = type === "Approved" || type === "Denied";
  if (after.length > before.length) return isDecision && part !== "approval" ? refuse("add") : [];
  return isDecision && part !== "approval" && !sameJson(after, before) ? refuse("modify") : [];
}
