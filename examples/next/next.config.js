import { join } from "node:path";

export default {
  // For this example alone, whose package is a link to the repository.
  turbopack: { root: join(import.meta.dirname, "../..") },
};
