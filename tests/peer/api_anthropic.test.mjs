// The official Anthropic client, as it is, against our server.
import assert from "node:assert/strict";
import {after, before, test} from "node:test";

import Anthropic from "@anthropic-ai/sdk";

import {says, startServer} from "./lib/server.mjs";

let server;
let client;
const kHello = [{role: "user", content: "hello"}];
const kQuick = {model: "default", max_tokens: 400, seed: 3, messages: kHello};
// Leaves the model no choice.
const saying = (text) => ({response_format: says(text)});
const kWeather = {
  name: "get_weather",
  description: "Tells the weather",
  input_schema: {type: "object", additionalProperties: false, required: ["city"],
    properties: {city: {type: "string", enum: ["Ulm", "Bonn"]}}},
};

before(async () => {
  server = await startServer();
  client = new Anthropic({baseURL: server.url, apiKey: "none", maxRetries: 0});
});
after(async () => assert.equal(await server.stop(), 0));

test("a message is answered", async () => {
  const answer = await client.messages.create({...kQuick, system: "Be kind.", ...saying("Hello.")});
  assert.deepEqual(answer.content.map(({type, text}) => [type, text]), [["text", "Hello."]]);
  assert.equal(answer.stop_reason, "end_turn");
  assert.ok(answer.usage.output_tokens > 0);
});

test("the stream helper gathers the message", async () => {
  const stream = client.messages.stream({...kQuick, ...saying("One two three.")});
  let text = "";
  stream.on("text", (delta) => text += delta);
  const final = await stream.finalMessage();
  assert.equal(text, "One two three.");
  assert.equal(await stream.finalText(), "One two three.");
  assert.equal(final.stop_reason, "end_turn");
});

test("a stream says what the answer says, and counts the same", async () => {
  const request = {...kQuick, seed: 11, max_tokens: 24};
  const whole = await client.messages.create(request);
  const streamed = await client.messages.stream(request).finalMessage();
  assert.deepEqual(streamed.content, whole.content);
  assert.equal(streamed.stop_reason, whole.stop_reason);
  const read = ({usage}) => usage.input_tokens + usage.cache_read_input_tokens;
  assert.equal(read(streamed), read(whole));
  assert.equal(streamed.usage.output_tokens, whole.usage.output_tokens);
  const counted = await client.messages.countTokens({model: "default", messages: kHello});
  assert.equal(counted.input_tokens, read(whole));
});

test("thoughts are blocks of their own", async () => {
  const think = (await (await fetch(`${server.url}/tokenize`,
    {method: "POST", body: JSON.stringify({content: "<think>"})})).json()).tokens[0];
  const request = {...kQuick, ...saying("Right."), logit_bias: {[think]: 100},
    thinking: {type: "enabled", budget_tokens: 5}};
  const whole = await client.messages.create(request);
  assert.deepEqual(whole.content.map(({type}) => type), ["thinking", "text"]);
  assert.equal(whole.content[1].text, "Right.");
  const stream = client.messages.stream(request);
  let thought = "";
  stream.on("thinking", (delta) => thought += delta);
  const final = await stream.finalMessage();
  assert.equal(thought, final.content[0].thinking);
  const none = await client.messages.create({...kQuick, ...saying("Right.")});
  assert.deepEqual(none.content.map(({type}) => type), ["text"]);
});

test("a tool is called, and its result leads to an answer", async () => {
  const messages = [{role: "user", content: "How is the weather in Ulm?"}];
  const asked = await client.messages.create(
    {...kQuick, messages, tools: [kWeather], tool_choice: {type: "any"}});
  assert.equal(asked.stop_reason, "tool_use");
  const call = asked.content.find(({type}) => type === "tool_use");
  assert.equal(call.name, "get_weather");
  assert.ok(["Ulm", "Bonn"].includes(call.input.city));
  messages.push({role: "assistant", content: asked.content}, {role: "user", content: [
    {type: "tool_result", tool_use_id: call.id, content: "sunny, 20 degrees"}]});
  const answer = await client.messages.create({...kQuick, messages, tools: [kWeather],
    tool_choice: {type: "none"}, ...saying("It is sunny.")});
  assert.equal(answer.content[0].text, "It is sunny.");
});

test("tool calls are streamed", async () => {
  const stream = client.messages.stream(
    {...kQuick, tools: [kWeather], tool_choice: {type: "tool", name: "get_weather"}});
  let json = "";
  stream.on("inputJson", (delta) => json += delta);
  const final = await stream.finalMessage();
  assert.equal(final.stop_reason, "tool_use");
  assert.ok(["Ulm", "Bonn"].includes(final.content[0].input.city));
  assert.deepEqual(JSON.parse(json), final.content[0].input);
});

test("a stop sequence is named", async () => {
  const answer = await client.messages.create(
    {...kQuick, ...saying("one two three"), stop_sequences: ["three", "two"]});
  assert.equal(answer.stop_reason, "stop_sequence");
  assert.equal(answer.stop_sequence, "two");
  assert.equal(answer.content[0].text, "one ");
});

test("structured output matches its schema", async () => {
  const schema = {type: "object", additionalProperties: false, required: ["done"],
    properties: {done: {type: "boolean"}}};
  const answer = await client.messages.create(
    {...kQuick, output_config: {format: {type: "json_schema", schema}}});
  assert.equal(typeof JSON.parse(answer.content[0].text).done, "boolean");
});

test("refusals are the client's own errors", async () => {
  const ask = (more) => client.messages.create({...kQuick, ...more});
  await assert.rejects(ask({messages: []}), (error) =>
    error instanceof Anthropic.BadRequestError &&
    error.error.error.type === "invalid_request_error");
  await assert.rejects(ask({model: "claude"}), Anthropic.NotFoundError);
  await assert.rejects(ask({stream: true, messages: [{role: "user", content: "x ".repeat(4000)}]}),
    Anthropic.BadRequestError);
});

test("an aborted stream ends", async () => {
  const stream = await client.messages.create(
    {...kQuick, max_tokens: 900, regex: "[a-z ]{800,900}", stream: true});
  let deltas = 0;
  for await (const event of stream) {
    if (event.type === "content_block_delta" && ++deltas === 3) break;
  }
  assert.equal(deltas, 3);
  assert.ok(stream.controller.signal.aborted);
});
