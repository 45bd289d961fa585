/**
 * How a request crosses the link: the opening metadata of a stream of kind `http`. One text of lines ended
 * by LF; the strict parser lets no LF into any part, so splitting it is all the parsing that the app tier does.
 *
 *   line 0  method                    line 5  client's port
 *   line 1  target, canonical         line 6  local address that the client connected to
 *   line 2  client's HTTP version     line 7  local port
 *   line 3  "http" or "https"         line 8  "u" for an upgrade request, else ""
 *   line 4  client's address          then    name, value, name, value, ... (no LF after the last value)
 *
 * Fields are those the application shall see: hop-by-hop ones are gone, but exactly one of content-length
 * and transfer-encoding: chunked stands for a body, and connection + upgrade for an upgrade. The body itself
 * travels unframed; the request's trailers are the stream's trailing metadata (name LF value LF ...).
 *
 * The answer comes back as HTTP/1.1 bytes on the stream, as Node's ServerResponse writes them; the web tier
 * parses them as strictly as those of any HTTP server (http/response-head.ts).
 */
import { LF } from "./fields.ts";

export const linkRequestLines = 9;

/**
 * @param clientLines lines 3 to 7, joined by LF: the same for all requests of a connection.
 * @param fields "name LF value LF name LF value", with or without an LF in front; may be "".
 */
export function encodeLinkRequest(
  method: string,
  target: string,
  versionMinor: 0 | 1,
  clientLines: string,
  upgrade: boolean,
  fields: string,
): string {
  const separator = fields === "" || fields.charCodeAt(0) === LF ? "" : "\n";
  return `${method}\n${target}\n1.${versionMinor}\n${clientLines}\n${upgrade ? "u" : ""}${separator}${fields}`;
}
