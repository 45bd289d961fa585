// npm's http-proxy as its documentation shows it, with kept-alive connections to the application. It writes no
// access log. The configuration file is this program: __...__ is filled in by the benchmark.
import { randomUUID } from "node:crypto";
import { Agent, createServer } from "node:http";
import { createRequire } from "node:module";

const httpProxy = createRequire("__PROJECT__/")("http-proxy");
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const proxy = httpProxy.createProxyServer({ target: "http://127.0.0.1:__APP_PORT__", agent, xfwd: true });
proxy.on("proxyReq", (proxyReq) => proxyReq.setHeader("X-Request-Id", randomUUID()));
createServer((req, res) => proxy.web(req, res)).listen(__PORT__, "127.0.0.1");
