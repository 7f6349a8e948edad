// The ollama client, as it is, against our server.
import assert from "node:assert/strict";
import {after, before, test} from "node:test";

import {Ollama} from "ollama";

import {says, startServer} from "./lib/server.mjs";

let server;
let client;
const kHello = [{role: "user", content: "hello"}];
const kQuick = {model: "default", messages: kHello, think: false,
  options: {num_predict: 400, seed: 3}};
// Leaves the model no choice.
const saying = (text) => ({response_format: says(text)});
const kWeather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Tells the weather",
    parameters: {type: "object", additionalProperties: false, required: ["city"],
      properties: {city: {type: "string", enum: ["Ulm", "Bonn"]}}},
  },
};

before(async () => {
  server = await startServer();
  client = new Ollama({host: server.url});
});
after(async () => assert.equal(await server.stop(), 0));

test("models are listed and shown", async () => {
  const {models} = await client.list();
  assert.equal(models.length, 1);
  const shown = await client.show({model: models[0].name});
  assert.ok(shown.capabilities.includes("completion"));
  assert.deepEqual(shown.details, models[0].details);
  assert.equal((await client.ps()).models[0].name, models[0].name);
  assert.match((await client.version()).version, /^\d+\.\d+\.\d+$/);
  await assert.rejects(client.show({model: "llama3"}), (error) => error.status_code === 404);
});

test("a chat is answered", async () => {
  const answer = await client.chat({...kQuick, ...saying("Hello, world.")});
  assert.equal(answer.message.content, "Hello, world.");
  assert.equal(answer.done_reason, "stop");
  assert.ok(answer.eval_count > 0 && answer.prompt_eval_count > 0);
});

test("a chat is streamed", async () => {
  let text = "";
  let last;
  for await (const part of await client.chat({...kQuick, ...saying("One two."), stream: true})) {
    text += part.message.content;
    last = part;
  }
  assert.equal(text, "One two.");
  assert.ok(last.done && last.eval_count > 0);
});

test("a tool is called, and its result leads to an answer", async () => {
  const messages = [{role: "user", content: "How is the weather in Ulm?"}];
  const id = async (content) => (await (await fetch(`${server.url}/tokenize`,
    {method: "POST", body: JSON.stringify({content})})).json()).tokens[0];
  // Ollama has no tool_choice: the token that begins a call is made certain instead.
  const options = {...kQuick.options, logit_bias: {[await id("<tool_call>")]: 100}};
  for (const stream of [false, true]) {
    let asked = await client.chat({...kQuick, messages, tools: [kWeather], options, stream});
    if (stream) {
      const calls = [];
      for await (const part of asked) calls.push(...part.message.tool_calls ?? []);
      asked = {message: {role: "assistant", content: "", tool_calls: calls}};
    }
    const [call] = asked.message.tool_calls;
    assert.equal(call.function.name, "get_weather");
    assert.ok(["Ulm", "Bonn"].includes(call.function.arguments.city));
    const answer = await client.chat({...kQuick, ...saying("It is sunny."), messages: [...messages,
      asked.message, {role: "tool", tool_name: "get_weather", content: "sunny"}]});
    assert.equal(answer.message.content, "It is sunny.");
  }
});

test("a format is kept", async () => {
  const schema = {type: "object", additionalProperties: false, required: ["done"],
    properties: {done: {type: "boolean"}}};
  const answer = await client.chat({...kQuick, format: schema});
  assert.equal(typeof JSON.parse(answer.message.content).done, "boolean");
});

test("a prompt is answered, whole and streamed", async () => {
  const request = {model: "default", prompt: "hello", think: false, ...saying("Hi there.")};
  const answer = await client.generate(request);
  assert.equal(answer.response, "Hi there.");
  let text = "";
  for await (const part of await client.generate({...request, stream: true})) {
    text += part.response;
  }
  assert.equal(text, "Hi there.");
});

test("the same seed says the same, streamed or not", async () => {
  const request = {...kQuick, options: {num_predict: 12, seed: 4}};
  const whole = await client.chat(request);
  let text = "";
  for await (const part of await client.chat({...request, stream: true})) {
    text += part.message.content;
  }
  assert.equal(text, whole.message.content);
});

test("refusals are the client's own errors", async () => {
  await assert.rejects(client.chat({...kQuick, model: "llama3"}),
    (error) => error.name === "ResponseError" && error.status_code === 404);
  await assert.rejects(client.chat({...kQuick, options: {temperature: 9}}),
    (error) => error.status_code === 400 && error.error.startsWith("options.temperature"));
});
