/** Plain handlers of node:http, one for each thing that applications touch on a request, a response and their socket. */
import http from "node:http";
import { finished } from "node:stream";
import { compare, type Trace } from "./compare.ts";

type Handler = (trace: Trace, req: http.IncomingMessage, res: http.ServerResponse) => void;

function serverOf(handler: Handler): (trace: Trace) => http.Server {
  return (trace) => http.createServer((req, res) => handler(trace, req, res));
}

function watchAll(trace: Trace, req: http.IncomingMessage, res: http.ServerResponse): void {
  trace.watch("req", req, "end", "close", "aborted", "error");
  trace.watch("res", res, "prefinish", "finish", "close", "error", "pipe", "drain");
  trace.watch("socket", req.socket, "close", "timeout", "drain");
}

compare({
  name: "GET: properties in the handler, events in order",
  server: serverOf((trace, req, res) => {
    watchAll(trace, req, res);
    const { socket } = req;
    trace.note("req", req.method, req.url, req.httpVersion, req.httpVersionMajor, req.httpVersionMinor);
    trace.note("headers", req.headers, req.headersDistinct, req.rawHeaders, req.trailers, req.rawTrailers);
    trace.note("req state", req.complete, req.aborted, req.readable, req.readableEnded, req.errored);
    trace.note(
      "same",
      req.socket === req.connection,
      req.socket === res.socket,
      res.connection === socket,
      res.req === req,
    );
    trace.note(
      "socket",
      socket.readable,
      socket.writable,
      socket.destroyed,
      socket.closed,
      socket.errored,
      socket.readyState,
    );
    trace.note(
      "addresses",
      socket.remoteAddress,
      socket.remoteFamily,
      typeof socket.remotePort,
      socket.localAddress,
      socket.localFamily,
      typeof socket.localPort,
    );
    trace.note(
      "tls",
      (socket as { encrypted?: boolean }).encrypted,
      (socket as { authorized?: boolean }).authorized,
    );
    trace.note(
      "marks",
      socket.writableLength,
      socket.writableHighWaterMark,
      socket.readableHighWaterMark,
      socket.writableNeedDrain,
    );
    trace.note(
      "server",
      (socket as unknown as { server: unknown }).server instanceof http.Server,
      socket.timeout ?? 0,
      socket.connecting,
      socket.pending,
    );
    trace.note(
      "chained",
      socket.setNoDelay() === socket,
      socket.setKeepAlive(true) === socket,
      socket.ref() === socket,
      socket.unref() === socket,
    );
    trace.note(
      "res state",
      res.headersSent,
      res.writableEnded,
      res.finished,
      res.writableFinished,
      res.shouldKeepAlive,
      res.sendDate,
    );
    res.setHeader("Content-Type", "text/plain");
    res.end("hello", () => trace.note("end callback"));
    trace.note(
      "after end",
      res.headersSent,
      res.writableEnded,
      res.writableFinished,
      res.writableLength,
      socket.writable,
    );
    res.on("finish", () =>
      trace.note(
        "at finish",
        res.writableFinished,
        res.socket === null,
        req.socket === socket,
        socket.destroyed,
      ),
    );
    res.on("close", () =>
      trace.note("at close", res.destroyed, res.closed, req.complete, req.readableEnded, socket.destroyed),
    );
    req.on("close", () => trace.note("at req close", req.complete, req.aborted, req.destroyed));
  }),
  client: (way) =>
    way
      .request({
        target: "/a/b?c=d&e",
        fields: [
          ["X-Two", "1"],
          ["x-two", "2"],
          ["Cookie", "a=b"],
          ["Cookie", "c=d"],
          ["Accept", "*/*"],
          ["User-Agent", "first"],
          ["user-agent", "dropped"],
          ["Set-Cookie", "odd"],
        ],
      })
      .answer(),
});

compare({
  name: "HEAD, 204 and 304 have no body; strings of every encoding",
  server: serverOf((trace, req, res) => {
    watchAll(trace, req, res);
    if (req.url === "/204") res.writeHead(204).end();
    else if (req.url === "/304") res.writeHead(304, { ETag: '"x"' }).end("dropped");
    else if (req.url === "/encodings") {
      res.write("68656c6c6f", "hex");
      res.write("d8O8", "base64");
      res.write("\u00fc", "latin1");
      res.write("\u20ac", "utf8");
      res.write("ab", "utf16le");
      res.end(new Uint8Array([1, 2, 3]));
    } else res.end("a body");
  }),
  async client(way) {
    const head = await way.exchange({ method: "HEAD" });
    const noContent = await way.exchange({ target: "/204" });
    const notModified = await way.exchange({ target: "/304" });
    return [head, noContent, notModified, await way.exchange({ target: "/encodings" })];
  },
});

compare({
  name: "bodies: with a length, chunked, with trailers both ways, read late, never read",
  server: serverOf((trace, req, res) => {
    watchAll(trace, req, res);
    trace.note("at start", req.complete, req.headers["content-length"], req.headers["transfer-encoding"]);
    if (req.url === "/unread") {
      res.end("not read");
      return;
    }
    const read = () => {
      let body = "";
      req.setEncoding("utf8");
      req.on("data", (text: string) => (body += text));
      req.on("end", () => {
        trace.note(
          "body",
          body.length,
          body.slice(0, 20),
          req.complete,
          req.trailers,
          req.rawTrailers,
          req.trailersDistinct,
        );
        res.setHeader("Trailer", "X-Sum");
        res.write("read ");
        res.addTrailers({ "X-Sum": String(body.length) });
        res.end("it");
      });
    };
    if (req.url === "/late") setTimeout(read, 20);
    else read();
  }),
  async client(way) {
    const answers = [];
    for (const target of ["/now", "/late", "/unread"])
      answers.push(await way.exchange({ method: "POST", target, body: 5 }, "hello"));
    return answers;
  },
});

compare({
  name: "chunked upload with trailers",
  server: serverOf((trace, req, res) => {
    watchAll(trace, req, res);
    const pieces: string[] = [];
    req.on("data", (bytes: Buffer) => pieces.push(bytes.toString()));
    req.on("end", () => {
      trace.note("body", pieces.join(""), req.trailers, req.rawTrailers, req.headers, req.complete);
      res.end(pieces.join("").toUpperCase());
    });
  }),
  async client(way) {
    const client = way.request({ method: "PUT", body: "chunked" });
    client.write("one ");
    client.write("two ");
    client.write("three");
    client.end(["X-Check", "abc", "x-check", "def"]);
    return client.answer();
  },
});

compare({
  name: "an answer before the upload is finished reaches the client whole; the rest is thrown away",
  server: serverOf((trace, req, res) => {
    trace.watch("res", res, "finish", "close");
    trace.watch("req", req, "end", "close", "aborted", "error");
    res.writeHead(413, { "Content-Type": "text/plain" });
    res.end("too much".repeat(1000));
  }),
  async client(way) {
    const client = way.request({ method: "POST", body: 600_000 });
    client.write(Buffer.alloc(1000));
    const answer = await client.answer();
    for (let sent = 1000; sent < 600_000; sent += 1000) client.write(Buffer.alloc(1000));
    client.end();
    return answer;
  },
});

compare({
  name: "large answer with backpressure: write() says false, drain follows, nothing is lost",
  server: serverOf((trace, _req, res) => {
    trace.watch("res", res, "prefinish", "finish", "close");
    const drains = new Set<string>();
    const piece = Buffer.alloc(50_000, "x");
    trace.note(
      "writes",
      res.write(piece),
      res.writableNeedDrain,
      res.write(piece),
      res.writableNeedDrain,
      res.write(piece),
    );
    trace.note("length", res.writableLength > 0, res.writableHighWaterMark);
    let left = 60;
    res.on("drain", () => {
      drains.add(`${res.writableNeedDrain} ${res.writableLength}`);
      while (left > 0) {
        left--;
        if (!res.write(piece)) return;
      }
      res.end();
      // How many there are is the kernel's affair.
      trace.note("drained", [...drains]);
    });
  }),
  client: (way) => way.request({}).answer(),
});

compare({
  name: "write callbacks, drain and finish in order, small and large",
  server: serverOf((trace, req, res) => {
    watchAll(trace, req, res);
    trace.note(
      "small",
      res.write("a", () => trace.note("a out")),
    );
    trace.note(
      "latin1",
      res.write("b", "latin1", () => trace.note("b out")),
    );
    process.nextTick(() => trace.note("a tick"));
    setImmediate(() => {
      trace.note(
        "large",
        res.write(Buffer.alloc(100_000, "c"), () => trace.note("c out")),
      );
      res.once("drain", () => {
        res.end("d", () => trace.note("end out"));
        trace.note("again", res.writableEnded);
        res.end(() => trace.note("second end"));
        res.write("after end", (error) => trace.note("refused", error));
      });
    });
  }),
  client: (way) => way.request({}).answer(),
});

compare({
  name: "a slow reader holds up the writer, and lets go",
  server: serverOf((trace, _req, res) => {
    trace.watch("res", res, "finish", "close");
    const piece = Buffer.alloc(65_536, "y");
    let blocked = false;
    const total = 400;
    let written = 0;
    const more = () => {
      while (written < total) {
        written++;
        if (!res.write(piece)) {
          res.once("drain", more);
          setTimeout(() => {
            // Neither way takes 25 MiB for a client that reads nothing.
            if (!blocked && written < total && res.writableNeedDrain) {
              blocked = true;
              trace.note("held up", res.writableLength > 0);
            }
          }, 50).unref();
          return;
        }
      }
      res.end();
    };
    more();
  }),
  async client(way, trace) {
    const client = way.request({});
    client.pause();
    await trace.until("held up");
    client.resume();
    const answer = await client.answer();
    return { ...answer, body: String(answer.body.length) };
  },
});

compare({
  name: "the application does not read: the client's upload is held up, then arrives whole",
  server: serverOf((trace, req, res) => {
    let bytes = 0;
    setTimeout(() => {
      trace.note("buffered", req.readableLength >= req.readableHighWaterMark, req.readableLength < 400_000);
      req.on("data", (piece: Buffer) => (bytes += piece.length));
      req.on("end", () => res.end(String(bytes)));
    }, 50);
  }),
  async client(way) {
    const client = way.request({ method: "POST", body: 3_000_000 });
    client.write(Buffer.alloc(3_000_000));
    client.end();
    return client.answer();
  },
});

compare({
  name: "pause and resume of a request; async iteration",
  server: serverOf((trace, req, res) => {
    if (req.url === "/iterate") {
      void (async () => {
        let bytes = 0;
        for await (const piece of req) bytes += (piece as Buffer).length;
        trace.note("iterated", bytes);
        res.end();
      })();
      return;
    }
    req.on("data", (piece: Buffer) => {
      trace.note("piece", piece.toString(), req.isPaused());
      req.pause();
      setTimeout(() => req.resume(), 10);
    });
    req.on("end", () => res.end("end"));
  }),
  async client(way, trace) {
    const client = way.request({ method: "POST", body: "chunked" });
    client.write("first");
    await trace.until("piece");
    client.write("second");
    client.end();
    const first = await client.answer();
    const second = way.request({ method: "POST", target: "/iterate", body: 300_000 });
    second.write(Buffer.alloc(300_000));
    second.end();
    return [first, await second.answer()];
  },
});

compare({
  name: "Expect: 100-continue, with and without checkContinue; other expectations",
  server(trace) {
    const server = http.createServer((req, res) => {
      trace.note("request", req.headers.expect);
      req.resume().on("end", () => res.end("taken"));
    });
    server.on("checkExpectation", (req, res) => {
      trace.note("checkExpectation", req.headers.expect);
      res.writeHead(417).end("no");
    });
    return server;
  },
  async client(way) {
    const client = way.request({ method: "POST", body: 4, fields: [["Expect", "100-continue"]] });
    await client.until(() => client.interimCount > 0);
    client.write("body");
    client.end();
    const first = await client.answer();
    return [first, await way.request({ fields: [["Expect", "a miracle"]] }).answer()];
  },
});

compare({
  name: "checkContinue refuses; an expectation nobody knows is 417",
  server(trace) {
    const server = http.createServer((_req, res) => res.end());
    server.on("checkContinue", (req, res) => {
      trace.watch("res", res, "finish", "close");
      trace.note("checkContinue", req.headers.expect);
      res.writeHead(403).end("not you");
    });
    return server;
  },
  async client(way) {
    const first = await way
      .request({ method: "POST", body: 4, fields: [["expect", "100-Continue"]] })
      .answer();
    return [first, await way.request({ fields: [["Expect", "a miracle"]] }).answer()];
  },
});

compare({
  name: "interim answers: 102, 103, writeContinue",
  server: serverOf((trace, _req, res) => {
    res.writeProcessing();
    res.writeContinue(() => trace.note("continue out"));
    res.writeEarlyHints({ link: ["</a.css>; rel=preload"], "x-more": "1" }, () => trace.note("hints out"));
    setImmediate(() => res.end("final"));
  }),
  client: (way) => way.request({}).answer(),
});

compare({
  name: "server-sent events: each one goes out at once; the client leaves",
  server: serverOf((trace, req, res) => {
    watchAll(trace, req, res);
    res.writeHead(200, { "Content-Type": "text/event-stream" });
    res.flushHeaders();
    let count = 0;
    const timer = setInterval(() => res.write(`data: ${++count}\n\n`), 5);
    res.on("close", () => {
      clearInterval(timer);
      trace.note(
        "stopped",
        res.writableEnded,
        res.writableFinished,
        res.destroyed,
        req.destroyed,
        req.complete,
      );
      trace.note("write after close", res.write("x"), res.socket?.destroyed);
    });
  }),
  async client(way, trace) {
    const client = way.request({});
    await client.until(() => client.headSeen);
    await client.until(() => client.bodyBytes >= 30);
    client.abort("close");
    await trace.until("stopped");
    return undefined;
  },
});

compare({
  name: "the client goes away in the middle of its upload",
  server(trace) {
    const server = http.createServer((req, res) => {
      watchAll(trace, req, res);
      req.on("data", () => {
        trace.note("data");
      });
      req.on("close", () =>
        trace.note("req", req.aborted, req.complete, req.destroyed, req.errored, req.readableAborted),
      );
      res.on("close", () =>
        trace.note("res", res.writableFinished, res.headersSent, res.destroyed, res.errored),
      );
      req.socket.on("close", (hadError) =>
        trace.note(
          "socket",
          hadError,
          req.socket.errored,
          req.socket.writable,
          req.socket.readable,
          req.socket.readyState,
        ),
      );
    });
    server.on("clientError", (error, socket) => {
      trace.note("clientError", error, socket.writable, socket.destroyed);
      socket.destroy();
    });
    return server;
  },
  async client(way, trace) {
    const client = way.request({ method: "POST", body: 1000 });
    client.write("begun");
    await trace.until("data");
    client.abort("reset");
    await trace.until("req close");
    return undefined;
  },
});

compare({
  name: "a handler that hears of the client's leaving by stream.finished and by req.signal",
  server: serverOf((trace, req, res) => {
    (req as unknown as { signal?: AbortSignal }).signal?.addEventListener("abort", () =>
      trace.note("signal"),
    );
    finished(req, (error) => trace.note("req finished", error));
    finished(res, (error) => trace.note("res finished", error));
    req.socket.on("close", () => trace.note("socket closed"));
    res.writeHead(200).write("begun");
  }),
  async client(way, trace) {
    const client = way.request({});
    await client.until(() => client.bodyBytes > 0);
    client.abort("reset");
    await trace.until("res finished");
    return undefined;
  },
});

for (const victim of ["req", "res", "socket"] as const) {
  for (const error of [undefined, new Error("enough")]) {
    compare({
      name: `${victim}.destroy(${error === undefined ? "" : "error"}) before the answer`,
      server(trace) {
        const server = http.createServer((req, res) => {
          watchAll(trace, req, res);
          req.socket.on("error", (thrown) => trace.note("socket error", thrown));
          res.write("x", (thrown) => trace.note("write", thrown));
          ({ req, res, socket: req.socket })[victim].destroy(error);
          trace.note(
            "state",
            req.destroyed,
            res.destroyed,
            req.socket.destroyed,
            req.aborted,
            req.socket.writable,
          );
          res.end("nothing", (thrown?: Error) => trace.note("end", thrown));
        });
        server.on("clientError", (thrown, socket) => {
          trace.note("clientError", thrown);
          socket.destroy();
        });
        return server;
      },
      client: async (way) =>
        (await way.request({ method: "POST", body: 10 }).answer()).end === "cut" ? undefined : [],
    });
  }
}

compare({
  name: "res.destroy() in the middle of an answer cuts it",
  server: serverOf((trace, req, res) => {
    watchAll(trace, req, res);
    res.writeHead(200, { "Content-Length": 100 });
    res.write("half", () => res.destroy());
  }),
  client: async (way) => {
    const { status, body, end } = await way.request({}).answer();
    // Whether the bytes that were written are still read is a matter of chance after a reset.
    void [status, body];
    return [{ interim: [], status: "", fields: [], body: "", trailers: [], end }];
  },
});

compare({
  name: "a destroyed request whose answer is complete still gets it",
  server: serverOf((trace, req, res) => {
    watchAll(trace, req, res);
    res.end("complete");
    setImmediate(() => req.socket.destroy());
  }),
  client: (way) => way.request({}).answer(),
});

compare({
  name: "socket.setTimeout, res.setTimeout, req.setTimeout",
  server: serverOf((trace, req, res) => {
    trace.watch("socket", req.socket, "timeout", "close");
    trace.watch("req", req, "aborted", "close");
    trace.watch("res", res, "finish", "close");
    if (req.url === "/socket") req.socket.setTimeout(20, () => res.end("socket timed out"));
    else if (req.url === "/res") res.setTimeout(20, () => res.end("response timed out"));
    else if (req.url === "/req") {
      req.setTimeout(20, () => {
        req.socket.setTimeout(0);
        res.end("request timed out");
      });
    } else req.socket.setTimeout(20);
  }),
  async client(way) {
    const answers = [];
    for (const target of ["/res", "/none"]) answers.push(await way.exchange({ target }));
    answers.push(await way.request({ method: "POST", target: "/req", body: 10 }).answer());
    return answers;
  },
});

compare({
  name: "server.setTimeout and its timeout event",
  server(trace) {
    const server = http.createServer((req, res) => {
      trace.watch("res", res, "finish", "close", "timeout");
      trace.note("timeout of socket", req.socket.timeout);
    });
    server.setTimeout(30, (socket) => {
      trace.note("server timeout", socket.destroyed);
      socket.end("HTTP/1.1 503 Too Slow\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    return server;
  },
  client: (way) => way.request({}).answer(),
});

compare({
  name: "strictContentLength: an answer that is too short is not ended",
  server: serverOf((trace, _req, res) => {
    res.strictContentLength = true;
    res.setHeader("Content-Length", 5);
    res.write("123", () => {
      try {
        res.end();
      } catch (error) {
        trace.note("thrown", error);
        res.destroy();
      }
    });
  }),
  client: (way) => way.request({}).answer(),
});

compare({
  name: "the application's own Connection, Keep-Alive, Date and Transfer-Encoding",
  server: serverOf((trace, req, res) => {
    watchAll(trace, req, res);
    if (req.url === "/close") res.setHeader("Connection", "close");
    if (req.url === "/keep") res.setHeader("Connection", "keep-alive").setHeader("Keep-Alive", "timeout=9");
    if (req.url === "/none") res.removeHeader("Connection");
    if (req.url === "/date") res.sendDate = false;
    if (req.url === "/raw") {
      res.removeHeader("Transfer-Encoding");
      res.removeHeader("Content-Length");
      res.write("until the end");
    }
    if (req.url === "/lines")
      res.writeHead(299, "Odd", ["X-A", "1", "X-A", "2", "Set-Cookie", "a", "Set-Cookie", "b"]);
    res.end("body");
  }),
  async client(way) {
    const answers = [];
    for (const target of ["/close", "/keep", "/none", "/date", "/raw", "/lines"])
      answers.push(await way.exchange({ target }));
    return answers;
  },
});

compare({
  name: "an HTTP/1.0 client: no chunks, ended by the end",
  server: serverOf((trace, req, res) => {
    trace.note(
      "version",
      req.httpVersion,
      req.httpVersionMinor,
      res.shouldKeepAlive,
      res.useChunkedEncodingByDefault,
    );
    res.write("a");
    res.end("b");
  }),
  client: (way) => way.request({ version: "1.0" }).answer(),
});

compare({
  name: "patched responses: writeHead, write, end, _implicitHeader, _header, cork",
  server: serverOf((trace, _req, res) => {
    const { writeHead, end } = res;
    res.writeHead = function patched(this: http.ServerResponse, ...args: unknown[]) {
      trace.note("writeHead", args[0]);
      this.setHeader("X-Late", "1");
      return writeHead.apply(this, args as never);
    } as never;
    res.end = function patched(this: http.ServerResponse, ...args: unknown[]) {
      const inner = this as unknown as { _header: string | null; _implicitHeader(): void };
      trace.note("end", inner._header);
      inner._implicitHeader();
      return end.apply(this, args as never);
    } as never;
    res.cork();
    trace.note("corked", res.writableCorked, res.socket?.writableCorked);
    res.uncork();
    trace.note("uncorked", res.writableCorked, res.socket?.writableCorked);
    res.end("patched");
  }),
  client: (way) => way.request({}).answer(),
});

compare({
  name: "corked chunks leave as one",
  server: serverOf((trace, req, res) => {
    watchAll(trace, req, res);
    res.flushHeaders();
    res.cork();
    trace.note(
      "writes",
      res.write("a", () => trace.note("a")),
      res.write("b", () => trace.note("b")),
      res.writableLength,
    );
    res.uncork();
    res.end();
  }),
  client: (way) => way.request({}).answer(),
});

compare({
  name: "own request and response classes, joined duplicate headers, unique headers",
  server(trace) {
    class OwnRequest extends http.IncomingMessage {
      readonly own = "request";
    }
    class OwnResponse extends http.ServerResponse<OwnRequest> {
      readonly own = "response";
    }
    const server = http.createServer(
      {
        IncomingMessage: OwnRequest,
        ServerResponse: OwnResponse,
        joinDuplicateHeaders: true,
        uniqueHeaders: ["x-one"],
        rejectNonStandardBodyWrites: true,
      },
      (req, res) => {
        trace.note("own", req.own, res.own, req.headers["user-agent"]);
        res.setHeader("X-One", ["a", "b"]);
        res.setHeader("X-Many", ["a", "b"]);
        res.statusCode = 204;
        try {
          res.end("refused");
        } catch (error) {
          trace.note("thrown", error);
          res.end();
        }
      },
    );
    return server as unknown as http.Server;
  },
  client: (way) =>
    way
      .request({
        fields: [
          ["User-Agent", "a"],
          ["User-Agent", "b"],
        ],
      })
      .answer(),
});
