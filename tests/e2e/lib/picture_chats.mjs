// What the pictures of the documentation show.
import { chatOf } from './page.mjs';

const answer = `Sort the intervals by where they begin. Then one pass is enough: an interval either
overlaps the last one that is kept, and makes it longer, or begins a new one.

\`\`\`python
def merge(intervals):
    merged = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return merged
\`\`\`

| Step | Time |
|---|---|
| Sorting | $O(n \\log n)$ |
| The pass | $O(n)$ |

For \`[[1, 3], [2, 6], [8, 10]]\` the result is \`[[1, 6], [8, 10]]\`.
`;

const usage = { prompt_tokens: 412, cached_tokens: 396, completion_tokens: 318,
  thinking_tokens: 96, prompt_us: 180000, first_token_us: 210000, completion_us: 24800000 };

const merging = chatOf('Merging overlapping intervals', [
  'What is 17% of 2,350?', '', '399.5', '17% of 2,350 is **399.5**.',
  'Write a Python function that merges overlapping intervals. How fast is it?', answer,
], {
  2: { finish: 'tool_calls', tool_calls: [
    { id: 'call_1', name: 'calculator', arguments: '{"expression": "0.17 * 2350"}' }] },
  3: { role: 'tool', tool_call_id: 'call_1' },
  4: { role: 'assistant', model: 'SmolLM3-3B', usage },
  5: { role: 'user' },
  6: { role: 'assistant', model: 'SmolLM3-3B', usage,
    reasoning: 'Sorting first makes every overlap one of neighbours. Then a single pass does.',
    followups: ['Do it without sorting', 'Write tests for it', 'What about open intervals?'] },
});

const others = ['Ein Brief an die Vermieterin', 'قصيدة قصيرة عن البحر',
  'Why is the sky blue?',
  'Packing list for three days', 'A note about the meeting on Friday'];

export const pictureChats = [
  ...others.map((title) => chatOf(title, ['Hello!', 'Hello, how may I help?'])), merging,
];
