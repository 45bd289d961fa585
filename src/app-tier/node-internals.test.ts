/** Fails when a version of Node no longer has what this tier uses beyond the documented interface. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import { type AddressInfo, Server as NetServer, Socket } from "node:net";
import { test } from "node:test";
import {
  detachAbortSignal,
  drainResponse,
  isAnswering,
  type NodeRequest,
  type NodeResponse,
  type NodeServer,
  nodeConnectionListener,
  ownConnectionListeners,
  passUniqueHeaders,
  requestClassOf,
  responseClassOf,
} from "./node-internals.ts";

function request(): NodeRequest {
  const req = new http.IncomingMessage(new Socket()) as NodeRequest;
  req.method = "GET";
  req.httpVersionMajor = 1;
  req.httpVersionMinor = 1;
  return req;
}

test("fields given before `complete` are headers, after it trailers", () => {
  const req = request();
  req._addHeaderLines(["X-A", "1", "x-a", "2"], 4);
  req.complete = true;
  req._addHeaderLines(["X-T", "3"], 2);
  assert.deepEqual(
    [req.headers, req.trailers, req.rawHeaders],
    [{ "x-a": "1, 2" }, { "x-t": "3" }, ["X-A", "1", "x-a", "2"]],
  );
});

test("what a request knows of its reader", () => {
  const req = request();
  assert.deepEqual([req._consuming, req._dumped, req._readableState.resumeScheduled], [false, false, false]);
  req._dump();
  assert.equal(req._dumped, true);
});

test("what a response knows of its end", () => {
  const res = new http.ServerResponse(request()) as unknown as NodeResponse;
  assert.deepEqual(
    [res._last, res._expect_continue, res._closed, res.destroyed],
    [false, false, false, false],
  );
  res.setHeader("Connection", "close");
  res.writeHead(200);
  assert.equal(res._last, true);
});

test("a server listens by its handle and counts its connections", () => {
  const server = http.createServer() as NodeServer;
  assert.equal(server._connections, 0);
  assert.equal(typeof server._emitCloseIfDrained, "function");
  assert.equal(server.listening, false);
  server._handle = { close() {} };
  assert.equal(server.listening, true);
  server.close();
  assert.equal(server.listening, false);
});

test("the listener that feeds Node's parser is the first one of a new server", () => {
  assert.deepEqual(http.createServer().listeners("connection"), [nodeConnectionListener]);
});

test("a server's own classes and unique headers are found", () => {
  class OwnRequest extends http.IncomingMessage {}
  class OwnResponse extends http.ServerResponse<OwnRequest> {}
  const server = http.createServer({
    IncomingMessage: OwnRequest,
    ServerResponse: OwnResponse,
    uniqueHeaders: ["x-one"],
  });
  assert.equal(requestClassOf(server as unknown as http.Server), OwnRequest);
  assert.equal(responseClassOf(server as unknown as http.Server), OwnResponse);
  assert.equal(requestClassOf(http.createServer()), http.IncomingMessage);
  assert.equal(responseClassOf(http.createServer()), http.ServerResponse);
  const res = new http.ServerResponse(request());
  passUniqueHeaders(server as unknown as http.Server, res);
  res.setHeader("X-One", ["a", "b"]);
  res.writeHead(200);
  assert.match((res as unknown as { _header: string })._header, /^X-One: a; b\r$/m);
});

test("a response that waits for drain is told once", () => {
  const res = new http.ServerResponse(request());
  let drains = 0;
  res.on("drain", () => drains++);
  drainResponse(res);
  assert.equal(drains, 0);
  const socket = Object.assign(new Socket(), { writable: true });
  socket.write = () => false;
  res.assignSocket(socket);
  assert.equal(res.write("x"), false);
  assert.equal(res.writableNeedDrain, true);
  drainResponse(res);
  drainResponse(res);
  assert.equal(drains, 1);
  assert.equal(res.writableNeedDrain, false);
});

test("a request's signal can be detached", () => {
  detachAbortSignal(request());
});

test("a connection is known to be answering while an answer is to come, and after it no more", async (t) => {
  const { promise: asked, resolve } = Promise.withResolvers<http.ServerResponse>();
  const server = http.createServer((_req, res) => resolve(res)).listen(0, "127.0.0.1");
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  const accepted = once(server, "connection");
  await once(server, "listening");
  const agent = new http.Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const request = http.get({ port: (server.address() as AddressInfo).port, agent });
  const [socket] = (await accepted) as [Socket];
  assert.equal(isAnswering(socket), false);
  const res = await asked;
  assert.equal(isAnswering(socket), true);
  res.end();
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  response.resume();
  await once(response, "end");
  assert.equal(isAnswering(socket), false);
});

test("an https.Server has one listener of its own for connections, which would speak TLS", () => {
  const server = https.createServer();
  assert.deepEqual(server.listeners("connection"), ownConnectionListeners(server));
  assert.equal(ownConnectionListeners(server).length, 1);
  assert.deepEqual(ownConnectionListeners(http.createServer()), [nodeConnectionListener]);
  assert.equal(requestClassOf(server as unknown as http.Server), http.IncomingMessage);
});

test("http.Server and https.Server have listen() from net.Server, where the preload replaces it", () => {
  for (const { prototype } of [http.Server, https.Server])
    assert.equal(prototype.listen, NetServer.prototype.listen);
});
