/** The action `files`: sends what lies in a folder. It lists nothing, and never leaves the folder. */
import type { FilesSettings } from "../../config/model.ts";
import { type Coding, preferredCoding } from "../accept-encoding.ts";
import type { OwnAction, OwnAnswer, OwnWork } from "../actions/action.ts";
import { redirectTo } from "../actions/redirect.ts";
import type { AnswerHead } from "../client.ts";
import type { RoutedRequest } from "../routed-request.ts";
import { codingSuffixes, codings } from "./coding.ts";
import { type FileFields, fileFieldsOf, type Verdict, verdictOn } from "./conditions.ts";
import type { CachedFile, FileCache } from "./file-cache.ts";
import { contentTypeOf, fileNameOf } from "./file-names.ts";
import { type Complain, FileReading } from "./file-reading.ts";
import { Folder, type NoFile } from "./open-file.ts";

/** @param cache shared by all routes of a web server. */
export function filesAction(settings: FilesSettings, cache: FileCache, complain: Complain): OwnAction {
  const folder = new Folder(settings.folder, settings.followSymlinks);
  const site = { settings, folder, cache, complain };
  return {
    begin(request, answer) {
      if (request.method !== "GET" && request.method !== "HEAD") {
        answer.answerItself(405, "", "Allow: GET, HEAD\r\n");
        return null;
      }
      const search = new FileSearch(site, request, answer);
      return search.begin() ? search : null;
    },
  };
}

interface FilesOf {
  readonly settings: FilesSettings;
  readonly folder: Folder;
  readonly cache: FileCache;
  readonly complain: Complain;
}

/** One request: looks for its file, judges its conditions, then reads. */
class FileSearch implements OwnWork {
  readonly #of: FilesOf;
  readonly #request: RoutedRequest;
  readonly #answer: OwnAnswer;
  readonly #isGet: boolean;
  readonly #fields: FileFields;
  /** Names that are still to be tried. */
  #names: string[] = [];
  #reading: FileReading | null = null;
  #over = false;

  constructor(of: FilesOf, request: RoutedRequest, answer: OwnAnswer) {
    this.#of = of;
    this.#request = request;
    this.#answer = answer;
    this.#isGet = request.method === "GET";
    this.#fields = fileFieldsOf(request.fields);
  }

  /** @returns whether it goes on. */
  begin(): boolean {
    const name = fileNameOf(this.#request.path);
    const { index } = this.#of.settings;
    if (name?.endsWith("/") === true) this.#names = index.map((file) => name + file);
    else if (name !== null) this.#names = [name];
    this.#tryNext();
    return !this.#over;
  }

  resume(): void {
    this.#reading?.resume();
  }

  over(): void {
    this.#over = true;
    this.#reading?.over();
  }

  #tryNext(): void {
    const name = this.#names.shift();
    if (name !== undefined) return this.#try(name);
    const { fallback } = this.#of.settings;
    if (fallback === null) this.#refuse(404);
    else this.#find(fallback, () => this.#refuse(404));
  }

  #try(name: string): void {
    this.#find(name, (why) => {
      if (why === "folder" && !name.endsWith("/")) this.#enterFolder(name);
      else this.#tryNext();
    });
  }

  /** Relative links of its page are right only behind the slash. */
  #enterFolder(name: string): void {
    const { originalPath, query } = this.#request;
    if (originalPath.endsWith("/")) {
      this.#names = this.#of.settings.index.map((file) => `${name}/${file}`);
      return this.#tryNext();
    }
    this.#over = true;
    redirectTo(`${originalPath}/${query}`, 301, this.#request, this.#answer);
  }

  #find(name: string, none: (why: NoFile) => void): void {
    this.#of.cache.get(this.#of.folder, name, (file, why, error) => {
      if (file !== null) return this.#over ? this.#of.cache.done(file) : this.#found(name, file);
      if (this.#over) return;
      if (why === "forbidden") return this.#refuse(403);
      if (why !== "failed") return none(why!);
      this.#of.complain(`${this.#of.folder.path}${name} can't be opened`, error);
      this.#refuse(503);
    });
  }

  #refuse(status: 403 | 404 | 503): void {
    this.#over = true;
    this.#answer.answerItself(status, "", "");
  }

  #found(name: string, file: CachedFile): void {
    if (!this.#of.settings.precompressed) return this.#send(name, file, null);
    if (file.variants !== null) return this.#chooseCoding(name, file, file.variants);
    this.#lookForVariants(name, file, 0, []);
  }

  #lookForVariants(name: string, file: CachedFile, at: number, found: Coding[]): void {
    const coding = codings[at];
    if (coding === undefined) {
      file.variants = found;
      return this.#chooseCoding(name, file, found);
    }
    this.#of.cache.get(this.#of.folder, name + codingSuffixes[coding], (variant) => {
      if (variant !== null) {
        this.#of.cache.done(variant);
        found.push(coding);
      }
      if (this.#over) this.#of.cache.done(file);
      else this.#lookForVariants(name, file, at + 1, found);
    });
  }

  #chooseCoding(name: string, file: CachedFile, available: readonly Coding[]): void {
    const coding = preferredCoding(this.#fields.acceptEncoding, available);
    if (coding === null) return this.#send(name, file, null);
    this.#of.cache.get(this.#of.folder, name + codingSuffixes[coding], (variant) => {
      if (variant === null || this.#over) {
        if (variant !== null) this.#of.cache.done(variant);
        return this.#over ? this.#of.cache.done(file) : this.#send(name, file, null);
      }
      this.#of.cache.done(file);
      this.#send(name, variant, coding);
    });
  }

  #send(name: string, file: CachedFile, coding: string | null): void {
    const { stats } = file;
    const etag = etagOf(file, coding);
    const modifiedAt = Math.floor(stats.mtimeMs / 1_000);
    const verdict = verdictOn(this.#fields, { etag, modifiedAt, size: stats.size }, this.#isGet);
    const { status } = verdict;
    if (status === 412 || status === 416) {
      this.#over = true;
      this.#of.cache.done(file);
      const more = status === 416 ? `Content-Range: bytes */${stats.size}\r\n` : "";
      return this.#answer.answerItself(status, "", more);
    }
    const head = this.#headOf(name, file, coding, etag, verdict);
    const hasBody = this.#isGet && status !== 304 && verdict.to > verdict.from;
    if (hasBody && (file.text === null || status === 206)) {
      this.#reading = new FileReading(this.#of.cache, file, verdict, head, this.#answer, (what, error) =>
        this.#of.complain(`${this.#of.folder.path}${name} ${what}`, error),
      );
      return;
    }
    this.#over = true;
    this.#of.cache.done(file);
    if (hasBody) this.#answer.sendAnswer(head, "length", file.text!);
    else this.#answer.sendAnswer(head, this.#isGet && status !== 304 ? "length" : "none", "");
  }

  #headOf(
    name: string,
    { stats }: CachedFile,
    coding: string | null,
    etag: string,
    { status, from, to }: Verdict,
  ): AnswerHead {
    const { cacheControl, precompressed } = this.#of.settings;
    let fields = `ETag: ${etag}\r\nLast-Modified: ${stats.mtime.toUTCString()}\r\n`;
    if (cacheControl !== null) fields += `Cache-Control: ${cacheControl}\r\n`;
    if (precompressed) fields += "Vary: Accept-Encoding\r\n";
    if (status === 304) return { status, reason: "Not Modified", fields, contentLength: -1, hasDate: false };
    fields += `Content-Type: ${contentTypeOf(name)}\r\nAccept-Ranges: bytes\r\n`;
    if (coding !== null) fields += `Content-Encoding: ${coding}\r\n`;
    if (status === 206) fields += `Content-Range: bytes ${from}-${to - 1}/${stats.size}\r\n`;
    const reason = status === 206 ? "Partial Content" : "OK";
    return { status, reason, fields, contentLength: to - from, hasDate: false };
  }
}

/**
 * Size and time of the last change, as nginx has it but to the microsecond: the same on every web server that has the same
 * files. Strong: the bytes of two files with one tag are the same, unless someone sets clocks back.
 */
function etagOf({ stats }: CachedFile, coding: string | null): string {
  const changedAt = Math.round(stats.mtimeMs * 1_000).toString(36);
  return `"${changedAt}-${stats.size.toString(36)}${coding === null ? "" : `-${coding}`}"`;
}
