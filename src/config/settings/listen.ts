/** Settings of `listen:`. */
import * as limits from "../../support/limits.ts";
import { dayMs, type Setting, since } from "./setting.ts";

export const listenSettings: readonly Setting[] = [
  {
    path: "clusters.<name>.listen",
    type: "list",
    since,
    minimum: 1,
    maximum: 64,
    description:
      "Where each server of the cluster takes HTTP. A web tier needs it; app servers may have it too, for sites with a balancer of their own.",
  },
  {
    path: "clusters.<name>.listen[]",
    type: "section",
    since,
    oneOf: ["http", "https"],
    description: "One port.",
  },
  {
    path: "clusters.<name>.listen[].http",
    type: "endpoint",
    since,
    description: 'Port for HTTP on all addresses, or "address:port" for one ("[::1]:8080" with IPv6).',
  },
  {
    path: "clusters.<name>.listen[].https",
    type: "endpoint",
    since,
    description: "The same for HTTPS; it needs `tls:`.",
  },
  {
    path: "clusters.<name>.listen[].proxyProtocol",
    type: "flag",
    since,
    default: false,
    tier: "web",
    description:
      "Connections begin with a header of the PROXY protocol, version 1 or 2, by which a balancer in front names the client. Only from networks under `trust:`; all others are closed.",
  },
  {
    path: "clusters.<name>.listen[].http2",
    type: "flag",
    since,
    default: true,
    description: "Speak HTTP/2 with browsers that can, on `https:`. They choose it during the TLS handshake.",
  },
  {
    path: "clusters.<name>.listen[].tls",
    type: "list",
    since,
    orSingle: true,
    minimum: 1,
    maximum: limits.tls.certificatesMax,
    description:
      "Certificates for `https:`. A browser gets the one that names the host it asks for; the first one where none does. Changed files are taken up while the server runs.",
  },
  {
    path: "clusters.<name>.listen[].tls[]",
    type: "section",
    since,
    description: "A certificate and its key.",
  },
  {
    path: "clusters.<name>.listen[].tls[].cert",
    type: "file",
    since,
    required: true,
    description: "PEM file: the certificate, then those of the authorities between it and the root.",
  },
  {
    path: "clusters.<name>.listen[].tls[].key",
    type: "file",
    since,
    required: true,
    description: "PEM file: the private key of the certificate, without a passphrase.",
  },
  {
    path: "clusters.<name>.listen[].redirectTo",
    type: "choice",
    since,
    tier: "web",
    choices: ["https"],
    description:
      "With `http:`: every request for a host of the site is answered with 308 to the same address of the port of `https:`; none reaches an app server.",
  },
  {
    path: "clusters.<name>.listen[].hsts",
    type: "section",
    since,
    tier: "web",
    shortFor: "maxAge",
    description:
      "With `https:`: Strict-Transport-Security on every answer, in place of the application's own. Browsers that saw it use no plain HTTP any more.",
  },
  {
    path: "clusters.<name>.listen[].hsts.maxAge",
    type: "duration",
    since,
    required: true,
    minimum: 0,
    maximum: 3_650 * dayMs,
    description: "For how long they remember it. `0s` makes them forget.",
  },
  {
    path: "clusters.<name>.listen[].hsts.subdomains",
    type: "flag",
    since,
    default: false,
    description: "For all hosts below this one too.",
  },
  {
    path: "clusters.<name>.listen[].hsts.preload",
    type: "flag",
    since,
    default: false,
    description:
      "The site may be put on the browsers' own list (hstspreload.org), which wants `subdomains: true` and a year.",
  },
  {
    path: "clusters.<name>.listen[].clientCertificates",
    type: "section",
    since,
    tier: "web",
    description:
      "With `https:`: clients show a certificate. The application gets X-Client-Cert-Verified, X-Client-Cert-Subject and X-Client-Cert-Fingerprint; see docs/tls.md.",
  },
  {
    path: "clusters.<name>.listen[].clientCertificates.ca",
    type: "file",
    since,
    required: true,
    description: "PEM file: the authorities whose certificates are accepted.",
  },
  {
    path: "clusters.<name>.listen[].clientCertificates.mode",
    type: "choice",
    since,
    default: "required",
    choices: ["required", "optional"],
    description:
      "`required`: without a certificate there is no connection. `optional`: clients may have none, but no wrong one.",
  },
];
