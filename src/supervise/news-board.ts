/** What a web server's main process knows of app servers, each fact from whoever finds it out; its workers get all of it. */
import { noNews, type ServerNews } from "../health/server-news.ts";

export class NewsBoard {
  /** Called with all that is known of a server of which something has changed. */
  onChange: (news: ServerNews) => void = () => {};
  readonly #news: Map<string, ServerNews> = new Map();

  get all(): readonly ServerNews[] {
    return [...this.#news.values()];
  }

  of(name: string): ServerNews {
    return this.#news.get(name) ?? noNews(name);
  }

  update(name: string, change: Partial<Omit<ServerNews, "name">>): void {
    const news = { ...this.of(name), ...change };
    this.#news.set(name, news);
    this.onChange(news);
  }

  /** Servers that the file does not name any more. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#news.keys()) if (!names.has(name)) this.#news.delete(name);
  }
}
