/** What stands in front of a plain HTTP server, of files and of TLS. */
import { findProgram } from "../commands.ts";
import { flotillaCommand, haproxyCommand, nginxCommand, type Setup } from "../contenders.ts";

export type EdgeName = "nginx" | "haproxy" | "caddy" | "http-proxy" | "flotilla";

const peer = (template: string): URL => new URL(`peers/${template}`, import.meta.url);
/** Of each size one; text, so that it is the same to everybody. */
export const staticFiles: Readonly<Record<string, Buffer>> = {
  "2k.txt": Buffer.alloc(2_048, "two kibibytes of text\n"),
  "100k.txt": Buffer.alloc(102_400, "a hundred kibibytes of text\n"),
  "1m.txt": Buffer.alloc(1_048_576, "a mebibyte of text\n"),
};

const files = Object.fromEntries(
  Object.entries(staticFiles).map(([name, bytes]) => [`public/static/${name}`, bytes]),
);

export const edgeSetups: readonly Setup<EdgeName>[] = [
  { name: "nginx", template: peer("nginx.conf"), accessLog: "access.log", command: nginxCommand, files },
  { name: "haproxy", template: peer("haproxy.cfg"), accessLog: "proxy.log", command: haproxyCommand, files },
  {
    name: "caddy",
    template: peer("Caddyfile"),
    accessLog: "access.log",
    command: (path) => [findProgram("caddy")!, "run", "--adapter", "caddyfile", "--config", path],
    environment: { GOMAXPROCS: "1" },
    files,
  },
  {
    name: "http-proxy",
    template: peer("http-proxy.js"),
    accessLog: null,
    command: (path) => [process.execPath, path],
    files: { "package.json": '{ "type": "module" }\n' },
  },
  {
    name: "flotilla",
    template: peer("flotilla.yaml"),
    accessLog: ".flotilla/log/web-a.access.log",
    command: flotillaCommand,
    files,
  },
];
