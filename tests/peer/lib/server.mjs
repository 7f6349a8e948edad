// A server of ours for tests: `notso serve` on a tiny synthetic model, in a folder of its own. The
// model writes noise, so what it must say is steered by the request's format.
import {execFileSync, spawn} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {fileURLToPath} from "node:url";

const kStart_ms = 60_000;
const kTemplate = fileURLToPath(
  new URL("../../service/template/templates/thinker.jinja", import.meta.url));
const notso = process.env.NOTSO;

// A fresh folder, and the flags and environment of a server in it.
export function makeHome() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "notso-api-"));
  const model = path.join(folder, "tiny-model.gguf");
  execFileSync(notso, ["synth", model, "--template", kTemplate, "--seed", "3"],
    {stdio: "ignore"});
  return {folder, model, env: {...process.env, NOTSO_HOME: folder, MODEL_PATH: model}};
}

// Starts a server with further flags; {url, home, stop}. It is ready when this resolves.
export async function startServer(flags = [], home = makeHome()) {
  const args = ["serve", "--port", "0", "--ctx", "1024", "--rate-limit", "0", "--no-demo",
    ...flags];
  const child = spawn(notso, args, {env: home.env, stdio: ["ignore", "pipe", "pipe"]});
  let output = "";
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const url = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no address: ${output}`)), kStart_ms);
    const hear = (data) => {
      output += data;
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(output);
      if (!found) return;
      clearTimeout(timer);
      resolve(found[0]);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    exited.then((code) => {
      clearTimeout(timer);
      reject(new Error(`the server ended with ${code}: ${output}`));
    });
  });
  await ready(url);
  const stop = async () => {
    child.kill("SIGTERM");
    const code = await exited;
    fs.rmSync(home.folder, {recursive: true, force: true});
    return code;
  };
  return {url, home, stop, log: () => output};
}

// Waits for the model, which may be loaded after the address is there.
async function ready(url) {
  for (const end = Date.now() + kStart_ms; Date.now() < end;) {
    if ((await fetch(`${url}/health`).catch(() => undefined))?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the server is not ready");
}

// A format that leaves the model no choice: the answer is `text`.
export function says(text) {
  return {type: "regex", regex: text.replace(/[^\w\s]/g, (c) => `\\${c}`)};
}

// POSTs JSON (or a string as it is); {status, headers, body}.
export async function post(url, body, headers = {}) {
  const response = await fetch(url, {
    method: "POST",
    headers: {"Content-Type": "application/json", ...headers},
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return {status: response.status, headers: response.headers, body: json, text};
}

// The events of a stream, parsed; checks that "[DONE]" is the last and that lines are clean.
export function readEvents(text) {
  const events = text.split("\n\n").filter((event) => event !== "" && !event.startsWith(":"));
  if (events.pop() !== "data: [DONE]") throw new Error("[DONE] is not the last event");
  return events.map((event) => {
    if (!event.startsWith("data: ") || /[\r\n]/.test(event)) throw new Error(`bad event ${event}`);
    return JSON.parse(event.slice(6));
  });
}

// What the chunks of one choice say together, as the message of an unstreamed answer.
export function joinChunks(events, index = 0) {
  const message = {role: "assistant", content: "", reasoning: "", calls: [], logprobs: []};
  for (const choice of events.flatMap((event) => event.choices ?? [])) {
    if (choice.index !== index) continue;
    message.content += choice.delta.content ?? "";
    message.reasoning += choice.delta.reasoning_content ?? "";
    for (const call of choice.delta.tool_calls ?? []) {
      message.calls[call.index] ??= {id: call.id, name: call.function.name, arguments: ""};
      message.calls[call.index].arguments += call.function.arguments;
    }
    message.logprobs.push(...(choice.logprobs?.content ?? []));
    if (choice.finish_reason) message.finish = choice.finish_reason;
  }
  return message;
}
