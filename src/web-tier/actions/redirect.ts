/** The action `redirect`. */
import type { RedirectSettings } from "../../config/model.ts";
import type { RoutedRequest } from "../routed-request.ts";
import type { OwnAction, OwnAnswer } from "./action.ts";
import { templateText } from "./template-text.ts";

const reasons: Readonly<Record<number, string>> = {
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
};

export function redirectAction({ to, status }: RedirectSettings): OwnAction {
  return {
    begin(request, answer) {
      redirectTo(ownPath(templateText(to, request)), status, request, answer);
      return null;
    },
  };
}

/** @param location visible ASCII. */
export function redirectTo(
  location: string,
  status: number,
  request: RoutedRequest,
  answer: OwnAnswer,
): void {
  const text = request.method === "HEAD" ? "" : `${status} ${reasons[status]}\n`;
  const fields = `Location: ${location}\r\nContent-Type: text/plain\r\n`;
  const head = { status, reason: reasons[status]!, fields, contentLength: text.length, hasDate: false };
  answer.sendAnswer(head, request.method === "HEAD" ? "none" : "length", text);
}

/** A path must stay one: "//evil.example" and "/\evil.example" are other hosts to a browser. "*" (of OPTIONS) is none. */
function ownPath(location: string): string {
  if (location.startsWith("*")) return `/${location.slice(1)}`;
  return location.startsWith("/") ? location.replace(/^[/\\]+/, "/") : location;
}
