/**
 * The keep-alive race: a server closes a kept connection just when the next request is on its way. What may be sent
 * again is sent again once, on a new connection; what may have been acted upon is not, whatever way it breaks off.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { exchange, ok, type RawClient, RawOrigin } from "../harness/raw.ts";
import { webSite } from "../harness/web-site.ts";

const request = (method: string): string =>
  method === "GET"
    ? "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    : `${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody`;

const partsSent: Readonly<Record<string, string>> = {
  nothing: "",
  "half a status line": "HTTP/1.",
  "half a head": "HTTP/1.1 200 OK\r\nContent-Len",
  "an interim answer": "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n",
};
const ends = {
  FIN: (connection: RawClient) => connection.end(),
  RST: (connection: RawClient) => connection.socket.resetAndDestroy(),
};

for (const [what, bytes] of Object.entries(partsSent)) {
  for (const [how, end] of Object.entries(ends)) {
    for (const method of ["GET", "PUT", "POST"]) {
      const repeated = bytes === "" && method !== "POST";
      const outcome = repeated ? "sent once more on a new connection" : "not sent again";
      test(`a kept connection answers ${method} with ${what}, then ${how}: ${outcome}`, async (t) => {
        const origin = await RawOrigin.start(t, (connection, _head, count) => {
          if (count !== 2) return ok(`${count}`);
          if (bytes === "") end(connection);
          else connection.socket.write(bytes, () => end(connection));
          return null;
        });
        const web = await webSite(t, [origin.port]);
        assert.match(await exchange(web.port, request("GET")), /1$/);
        const got = await exchange(web.port, request(method));
        if (repeated) assert.match(got, /^HTTP\/1\.1 200 OK[\s\S]*\r\n\r\n3$/);
        else assert.match(got, /^(HTTP\/1\.1 103 Early Hints\r\n[\s\S]*?\r\n\r\n)?HTTP\/1\.1 502 /);
        assert.equal(origin.requests, repeated ? 3 : 2);
        assert.equal(origin.connections.length, repeated ? 2 : 1);
      });
    }
  }
}

for (const [how, end] of Object.entries(ends)) {
  test(`a kept connection breaks off behind the answer's head with ${how}: the client sees it, nothing is sent again`, async (t) => {
    const origin = await RawOrigin.start(t, (connection, _head, count) => {
      if (count !== 2) return ok(`${count}`);
      connection.socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", () => end(connection));
      return null;
    });
    const web = await webSite(t, [origin.port]);
    assert.match(await exchange(web.port, request("GET")), /1$/);
    assert.match(await exchange(web.port, request("GET")), /Content-Length: 10\r\n[\s\S]*\r\n\r\nhalf$/);
    assert.equal(origin.requests, 2);
  });
}

test("the second connection breaks too: told, not tried a third time", async (t) => {
  const origin = await RawOrigin.start(t, (connection, _head, count) => {
    if (count === 1) return ok("1");
    connection.socket.resetAndDestroy();
    return null;
  });
  const web = await webSite(t, [origin.port]);
  assert.match(await exchange(web.port, request("GET")), /1$/);
  assert.match(await exchange(web.port, request("GET")), /^HTTP\/1\.1 502 /);
  assert.equal(origin.requests, 3);
});

test("one stale connection tells of the others: the second try does not meet the next of them", async (t) => {
  const held: RawClient[] = [];
  const origin = await RawOrigin.start(t, (connection, _head, count) => {
    if (count <= 3) {
      held.push(connection);
      return null;
    }
    if (held.includes(connection)) {
      connection.socket.resetAndDestroy();
      return null;
    }
    return ok("fresh");
  });
  const web = await webSite(t, [origin.port]);
  const first = [1, 2, 3].map(() => exchange(web.port, request("GET")));
  await origin.arrived(/(GET[\s\S]*){3}/);
  for (const connection of held) connection.send(ok("kept"));
  for (const got of await Promise.all(first)) assert.match(got, /kept$/);
  assert.match(await exchange(web.port, request("GET")), /fresh$/);
  assert.equal(origin.requests, 5);
});
