// Renders JSON lines with @huggingface/jinja.
// in: {"template", "context"}; out: {"text"} or {"error"}
import readline from "node:readline";

import {Template} from "@huggingface/jinja";

// The day on which the peer tests play; the library's strftime_now() asks Date.
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...parts) {
    super(...(parts.length > 0 ? parts : [2026, 10, 20, 9, 5, 7]));
  }
};

function render({template, context}) {
  try {
    return {text: new Template(template).render(context)};
  } catch (error) {
    return {error: String(error)};
  }
}

for await (const line of readline.createInterface({input: process.stdin, crlfDelay: Infinity})) {
  process.stdout.write(`${JSON.stringify(render(JSON.parse(line)))}\n`);
}
