/**
 * How much a web server grows while one GiB passes through it: `node test/memory/one-gib.ts [MiB] [--link]`. The web
 * tier runs in a process of its own; client and application are in this one. Ends with 1
 * when it grew by 64 MiB or more.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { connect } from "node:net";
import { linkApp } from "../harness/link-app.ts";
import { startWebSite } from "../harness/web-site.ts";

const mib = 1_048_576;
const growthMaxBytes = 64 * mib;
const piece = Buffer.alloc(65_536, "p");
const [portOrSize = "1024", role = ""] = process.argv.slice(2).filter((word) => word !== "--link");
const overLink = process.argv.includes("--link");

if (role === "web") await runWebTier(Number(portOrSize));
else process.exitCode = await measureAll(Number(portOrSize) * mib);

/** In the child: reports the highest resident size since the last question. */
async function runWebTier(origin: number): Promise<void> {
  const web = await startWebSite([origin], { link: overLink });
  let most = 0;
  setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 5);
  process.on("message", () => {
    process.send!(most);
    most = process.memoryUsage.rss();
  });
  process.on("disconnect", () => process.exit(0));
  process.send!(web.port);
}

async function measureAll(size: number): Promise<number> {
  const ends: (() => Promise<void>)[] = [];
  const t = { after: (end: () => Promise<void>) => void ends.push(end) };
  const app = overLink ? await linkApp(t, "app-a", application) : await plainApp();
  const child = fork(import.meta.filename, [`${app.port}`, "web", ...(overLink ? ["--link"] : [])]);
  const [port] = (await once(child, "message")) as [number];
  const highest = async (): Promise<number> => {
    child.send("how much?");
    return ((await once(child, "message")) as [number])[0];
  };
  let worst = 0;
  const row = async (
    name: string,
    bytes: number,
    transfer: (bytes: number) => Promise<void>,
  ): Promise<void> => {
    await highest();
    const before = await highest();
    const from = performance.now();
    await transfer(bytes);
    const seconds = (performance.now() - from) / 1_000;
    const growth = (await highest()) - before;
    worst = Math.max(worst, growth);
    const speed = Math.round(bytes / mib / seconds);
    console.log(`${name}: ${bytes / mib} MiB at ${speed} MiB/s, grew by ${(growth / mib).toFixed(1)} MiB`);
  };
  // What any first request costs is not the transfer's growth.
  await download(port, 16 * mib, false);
  await upload(port, 16 * mib);
  await row("download", size, (bytes) => download(port, bytes, false));
  await row("upload", size, (bytes) => upload(port, bytes));
  await row("download, slow reader", size / 8, (bytes) => download(port, bytes, true));
  child.disconnect();
  await once(child, "exit");
  for (const end of ends) await end();
  return worst < growthMaxBytes ? 0 : 1;
}

function application(req: http.IncomingMessage, res: http.ServerResponse): void {
  if (req.method === "GET") {
    let left = Number(req.url!.slice(1));
    res.setHeader("Content-Length", left);
    const write = (): void => {
      while (left > 0) {
        const next = left < piece.length ? piece.subarray(0, left) : piece;
        left -= next.length;
        if (!res.write(next)) return void res.once("drain", write);
      }
      res.end();
    };
    write();
    return;
  }
  let got = 0;
  req.on("data", (data: Buffer) => {
    got += data.length;
  });
  req.on("end", () => res.end(`${got}`));
}

async function plainApp(): Promise<{ port: number }> {
  const server = http.createServer(application).listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  return { port: (server.address() as AddressInfo).port };
}

async function request(port: number, head: string): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1" });
  await once(socket, "connect");
  socket.write(head);
  return socket;
}

async function download(port: number, bytes: number, slowly: boolean): Promise<void> {
  const socket = await request(port, `GET /${bytes} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  let got = 0;
  socket.on("data", (data) => {
    got += data.length;
    if (!slowly) return;
    socket.pause();
    setTimeout(() => socket.resume(), 1);
  });
  await once(socket, "end");
  if (got < bytes) throw new Error(`${got} of ${bytes} bytes came`);
  socket.destroy();
}

async function upload(port: number, bytes: number): Promise<void> {
  const head = `PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${bytes}\r\n\r\n`;
  const socket = await request(port, head);
  let answer = "";
  socket.on("data", (data) => {
    answer += data.toString("latin1");
  });
  let left = bytes;
  const write = (): void => {
    while (left > 0) {
      left -= piece.length;
      if (!socket.write(piece)) return void socket.once("drain", write);
    }
  };
  write();
  await once(socket, "end");
  if (!answer.endsWith(`\r\n\r\n${bytes}`)) throw new Error(`the application counted otherwise: ${answer}`);
  socket.destroy();
}
