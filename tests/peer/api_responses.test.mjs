// The official OpenAI client's responses, as it is, against our server.
import assert from "node:assert/strict";
import {after, before, test} from "node:test";

import OpenAI from "openai";
import {zodResponsesFunction, zodTextFormat} from "openai/helpers/zod";
import {z} from "zod";

import {says, startServer} from "./lib/server.mjs";

let server;
let client;
const kQuick = {model: "default", input: "hello", reasoning: {effort: "none"},
  max_output_tokens: 400, seed: 3};
// Leaves the model no choice.
const saying = (text) => ({response_format: says(text)});
const kWeather = {
  type: "function",
  name: "get_weather",
  description: "Tells the weather",
  strict: true,
  parameters: {type: "object", additionalProperties: false, required: ["city"],
    properties: {city: {type: "string", enum: ["Ulm", "Bonn"]}}},
};

before(async () => {
  server = await startServer();
  client = new OpenAI({baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0});
});
after(async () => assert.equal(await server.stop(), 0));

test("a text is answered", async () => {
  const answer = await client.responses.create({...kQuick, ...saying("Hello, world.")});
  assert.equal(answer.output_text, "Hello, world.");
  assert.equal(answer.status, "completed");
  assert.equal(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens);
});

test("events are streamed, and say what the answer says", async () => {
  const request = {...kQuick, ...saying("One two three."), seed: 7};
  const whole = await client.responses.create(request);
  let text = "";
  let last;
  let sequence = 0;
  for await (const event of await client.responses.create({...request, stream: true})) {
    assert.equal(event.sequence_number, sequence++);
    if (event.type === "response.output_text.delta") text += event.delta;
    last = event;
  }
  assert.equal(text, "One two three.");
  assert.equal(last.type, "response.completed");
  assert.equal(last.response.usage.output_tokens, whole.usage.output_tokens);
});

test("the stream helper gathers the response", async () => {
  const stream = client.responses.stream({...kQuick, ...saying("Gathered."), tools: []});
  let text = "";
  stream.on("response.output_text.delta", ({delta}) => text += delta);
  const final = await stream.finalResponse();
  assert.equal(text, "Gathered.");
  assert.equal(final.output_text, "Gathered.");
});

test("a tool is called, and its result leads to an answer", async () => {
  const input = [{role: "user", content: "How is the weather in Ulm?"}];
  const asked = await client.responses.create(
    {...kQuick, input, tools: [kWeather], tool_choice: "required"});
  const call = asked.output.find(({type}) => type === "function_call");
  assert.equal(call.name, "get_weather");
  assert.ok(["Ulm", "Bonn"].includes(JSON.parse(call.arguments).city));
  input.push(...asked.output,
    {type: "function_call_output", call_id: call.call_id, output: "sunny, 20 degrees"});
  const answer = await client.responses.create(
    {...kQuick, ...saying("It is sunny."), input, tools: [kWeather], tool_choice: "none"});
  assert.equal(answer.output_text, "It is sunny.");
  assert.ok(answer.usage.input_tokens > asked.usage.input_tokens);
});

test("tool calls are streamed, and parsed by the zod helper", async () => {
  const tool = zodResponsesFunction({name: "point", parameters: z.object(
    {x: z.number().int().min(-9).max(9), axis: z.enum(["a", "b"])})});
  const stream = client.responses.stream(
    {...kQuick, tools: [tool], tool_choice: "required"});
  const final = await stream.finalResponse();
  const call = final.output.find(({type}) => type === "function_call");
  assert.ok(Math.abs(call.parsed_arguments.x) <= 9);
  assert.ok(["a", "b"].includes(call.parsed_arguments.axis));
});

test("structured output is parsed by the zod helper", async () => {
  const Sum = z.object({steps: z.array(z.enum(["add", "carry"])).max(2), done: z.boolean()});
  const answer = await client.responses.parse(
    {...kQuick, text: {format: zodTextFormat(Sum, "sum")}});
  assert.deepEqual(Sum.parse(answer.output_parsed), answer.output_parsed);
});

test("a response is kept, read again, gone on from and forgotten", async () => {
  const first = await client.responses.create({...kQuick, ...saying("Hello.")});
  const kept = await client.responses.retrieve(first.id);
  assert.deepEqual(kept.output, first.output);
  const second = await client.responses.create(
    {...kQuick, ...saying("Again."), input: "more", previous_response_id: first.id});
  assert.equal(second.previous_response_id, first.id);
  assert.ok(second.usage.input_tokens > first.usage.input_tokens);
  await client.responses.delete(first.id);
  await assert.rejects(client.responses.retrieve(first.id), OpenAI.NotFoundError);
  const third = await client.responses.create(
    {...kQuick, ...saying("Still."), input: "and more", previous_response_id: second.id});
  assert.ok(third.usage.input_tokens > second.usage.input_tokens);
  await assert.rejects(
    client.responses.create({...kQuick, previous_response_id: first.id}), OpenAI.NotFoundError);
});

test("a streamed response is on disk when it is complete", async () => {
  let last;
  for await (const event of await client.responses.create(
    {...kQuick, ...saying("Kept."), stream: true})) {
    last = event;
  }
  const kept = await client.responses.retrieve(last.response.id);
  assert.equal(kept.output_text, "Kept.");
});

test("a response that is not to be stored is not", async () => {
  const answer = await client.responses.create({...kQuick, store: false, ...saying("Gone.")});
  await assert.rejects(client.responses.retrieve(answer.id), OpenAI.NotFoundError);
});

test("one that is cut is incomplete", async () => {
  const answer = await client.responses.create(
    {...kQuick, max_output_tokens: 4, regex: "[a-z ]{800,900}"});
  assert.equal(answer.status, "incomplete");
  assert.equal(answer.incomplete_details.reason, "max_output_tokens");
  assert.equal(answer.usage.output_tokens, 4);
});

test("refusals are the client's own errors", async () => {
  const ask = (more) => client.responses.create({...kQuick, ...more});
  await assert.rejects(ask({temperature: 9}), (error) =>
    error instanceof OpenAI.BadRequestError && error.param === "temperature");
  await assert.rejects(ask({model: "gpt-4o"}), (error) =>
    error instanceof OpenAI.NotFoundError && error.code === "model_not_found");
  await assert.rejects(ask({stream: true, input: "x ".repeat(4000)}), (error) =>
    error instanceof OpenAI.BadRequestError && error.code === "context_length_exceeded");
});
