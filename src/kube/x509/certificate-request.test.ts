import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Fault } from "#fault/fault";
import { readCertificateRequest } from "./certificate-request.ts";

const directory = mkdtempSync(join(tmpdir(), "csr-"));
after(() => rmSync(directory, { recursive: true, force: true }));

function makeRequest(subject: string, ...more: string[]): string {
  const args = ["req", "-new", "-nodes", "-keyout", "k.pem", "-subj", subject, ...more];
  return execFileSync("openssl", args, { cwd: directory, stdio: ["ignore", "pipe", "ignore"] }).toString();
}
const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

test("a request says its names, whatever its key", () => {
  const sans =
    "subjectAltName=DNS:n1,DNS:n1.example,IP:192.0.2.1,IP:2001:db8::1,email:a@example.org,URI:spiffe://x/y";
  const ec = readCertificateRequest(
    makeRequest("/O=system:nodes/O=b/CN=system:node:n1", ...EC, "-addext", sans),
  );
  assert.deepEqual([ec.commonName, ec.organizations], ["system:node:n1", ["system:nodes", "b"]]);
  assert.deepEqual(
    [ec.dnsNames, ec.ipAddresses],
    [
      ["n1", "n1.example"],
      ["192.0.2.1", "2001:db8:0:0:0:0:0:1"],
    ],
  );
  assert.deepEqual([ec.emailAddresses, ec.uris], [["a@example.org"], ["spiffe://x/y"]]);
  assert.equal(
    readCertificateRequest(makeRequest("/CN=jürgen", "-utf8", "-newkey", "rsa:2048")).commonName,
    "jürgen",
  );
  assert.equal(readCertificateRequest(makeRequest("/CN=ed", "-newkey", "ed25519")).commonName, "ed");
});

test("what is no request, or not its sender's, is refused", () => {
  const good = makeRequest("/CN=a", ...EC);
  const der = Buffer.from(good.replace(/-----[^-]+-----|\s/g, ""), "base64");
  const pem = (bytes: Buffer, type = "CERTIFICATE REQUEST") =>
    `-----BEGIN ${type}-----\n${bytes.toString("base64")}\n-----END ${type}-----\n`;
  assert.equal(readCertificateRequest(pem(der)).commonName, "a");
  const otherName = Buffer.from(der);
  otherName[otherName.indexOf("a", 20)] = 0x62;
  for (const text of ["", "x", pem(der, "CERTIFICATE"), pem(der.subarray(0, 60)), pem(otherName)])
    assert.throws(() => readCertificateRequest(text), Fault);
});

test("no bytes at all break it", () => {
  const der = Buffer.from(makeRequest("/CN=a", ...EC).replace(/-----[^-]+-----|\s/g, ""), "base64");
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff;
    return seed % below;
  };
  for (let i = 0; i < 2000; i++) {
    const bytes = Buffer.from(der.subarray(0, i % 3 === 0 ? random(der.length) : der.length));
    for (let n = random(4); n >= 0 && bytes.length > 0; n--) bytes[random(bytes.length)] = random(256);
    const text = `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString("base64")}\n-----END CERTIFICATE REQUEST-----`;
    try {
      readCertificateRequest(text);
    } catch (error) {
      assert.ok(error instanceof Fault, `round ${i}: ${String(error)}`);
    }
  }
});
