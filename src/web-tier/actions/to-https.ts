/** `redirectTo: https` of a listener: whatever is asked for there is to be asked for on the port of HTTPS. */
import type { RoutedRequest } from "../routed-request.ts";
import type { OwnAnswer } from "./action.ts";
import { redirectTo } from "./redirect.ts";

const httpsPort = 443;

/** @param knowsHost whether the site has the request's host: nobody is sent to a stranger by what a request says. */
export function redirectToHttps(
  request: RoutedRequest,
  port: number,
  knowsHost: boolean,
  answer: OwnAnswer,
): void {
  const { host, target } = request;
  if (!knowsHost) return answer.answerItself(421, "", "");
  // HTTP/1.0 may come without.
  if (host === "") return answer.answerItself(400, "The request names no host.", "");
  const authority = port === httpsPort ? host : `${host}:${port}`;
  const path = target.startsWith("/") ? target : "/";
  redirectTo(`https://${authority}${path}`, 308, request, answer);
}
