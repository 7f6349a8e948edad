// The table of bench/peer: medians, and ratios that are above 1 where notso is better.

import assert from "node:assert/strict";
import {test} from "node:test";

import {markdown, median, summary} from "../../bench/peer/report.mjs";

const kSpeed = {name: "decode", title: "decode", unit: "tokens/s", limit: "read bandwidth",
  samples: [{notso: 30, llama: 10, percent: 90}, {notso: 20, llama: 10, percent: 80},
    {notso: 10, llama: 10, percent: 70}]};
const kTime = {name: "start", title: "start", unit: "s", samples: [{notso: 0.1, llama: 4}]};

test("the median of an even number of values is the mean of the middle two", () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([]), undefined);
});

test("a ratio is the median of the rounds' ratios, not the ratio of the medians", () => {
  const samples = [{notso: 10, llama: 1}, {notso: 20, llama: 10}, {notso: 30, llama: 30}];
  assert.equal(summary({...kSpeed, samples}).ratio, 2);
  assert.equal(summary({...kSpeed, samples: samples.slice(1)}).ratio, 1.5);
});

test("more tokens a second and fewer seconds are both better", () => {
  assert.equal(summary(kSpeed).ratio, 2);
  assert.equal(summary(kTime).ratio, 40);
});

test("the table leaves out rows without samples and gives units and limits", () => {
  const lines = markdown([kSpeed, {...kTime, samples: []}, kTime]).split("\n");
  assert.deepEqual(lines.slice(2), [
    "| decode | 10.0 | 20.0 | 2.00x | 80% of read bandwidth |",
    "| start | 4.00 s | 100 ms | 40.00x |  |",
  ]);
});
