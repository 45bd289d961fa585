/** Step "prepare": the fields of a request as the application shall see them. */
import { withoutRouteCookie } from "./affinity/route-cookie-fields.ts";
import type { Client } from "./client.ts";
import { forwardedFields } from "./forwarded.ts";
import type { CompiledRoute } from "./route.ts";
import type { RoutedRequest } from "./routed-request.ts";
import type { WholeBody } from "./whole-body.ts";

/**
 * @param whole the body, where it was taken whole; null where it is passed on as it comes.
 * @returns "name LF value LF ...", framing included.
 */
export function upstreamFields(
  { head, origin }: Client,
  request: RoutedRequest,
  { requestFields }: CompiledRoute,
  requestId: string,
  whole: WholeBody | null,
): string {
  const { routeCookie } = request;
  const own = routeCookie === null ? head.fields : withoutRouteCookie(head.fields, routeCookie.pair);
  let fields = own + forwardedFields(head, origin, requestId);
  if (requestFields !== null) fields = requestFields.ofRequest(fields, request);
  // A trailer needs chunks.
  if (whole !== null && whole.trailer === "") return `${fields}\nContent-Length\n${whole.bytes}`;
  if (head.chunked) fields += "\nTransfer-Encoding\nchunked";
  else if (head.contentLength >= 0) fields += `\nContent-Length\n${head.contentLength}`;
  if (head.expectContinue && whole === null) fields += "\nExpect\n100-continue";
  if (head.upgrade !== "") fields += `\nConnection\nUpgrade\nUpgrade\n${head.upgrade}`;
  return fields;
}
