// A conversation in the browser: sending, streaming, stopping, branching, losing the connection.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerText, chatOf, done, openHome, openPage, PageServer, ready, send, serveFor,
  watchFaults } from './lib/page.mjs';

const server = new PageServer();
serveFor(server);

const home = (options) => openHome(server, options);

// Holds requests back until what this gives is called.
async function hold(page, url) {
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  await page.route(url, async (route) => {
    await held;
    await route.continue();
  });
  return release;
}

// Sends a first message and types on before its chat is made; what this gives lets it be made.
async function typeAhead(page, text) {
  const release = await hold(page, /\/chats$/);
  await page.fill('#text', 'makes the chat');
  await page.press('#text', 'Enter');
  await page.keyboard.type(text);
  return release;
}

test('the first visit offers starters that fill the input', async () => {
  const page = await home();
  assert.match(await page.locator('.hello h2').innerText(), /mind/);
  await page.locator('.starters a').first().click();
  assert.match(await page.inputValue('#text'), /language model/);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'text');
  await done(page);
});

test('a message is answered, and both survive a reload under their own address', async () => {
  const page = await home();
  await send(page, 'hello there');
  assert.equal(await answerText(page), 'You said: hello there');
  assert.match(page.url(), /\/chats\/[0-9a-f-]{36,}/);
  await page.reload();
  assert.equal(await page.locator('.user .bubble').innerText(), 'hello there');
  assert.equal(await answerText(page), 'You said: hello there');
  await done(page);
});

test('answers come also where the script that reads them comes late', async () => {
  const page = await home();
  await page.route('**/htmx-sse.js', async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    await route.continue();
  });
  await send(page, 'a late script');
  assert.equal(await answerText(page), 'You said: a late script');
  await done(page);
});

test('a message shows at once, the input clears and keeps the focus', async () => {
  const page = await home();
  await send(page, 'first');
  const release = await hold(page, '**/messages');
  await page.fill('#text', 'second');
  await page.press('#text', 'Enter');
  await page.locator('#pending .bubble', { hasText: 'second' }).waitFor();
  assert.equal(await page.inputValue('#text'), '');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'text');
  release();
  await page.locator('#messages .bubble', { hasText: 'second' }).waitFor();
  assert.equal(await page.locator('.bubble', { hasText: 'second' }).count(), 1);
  await done(page);
});

test('what is typed while a message goes is kept, and goes after it', async () => {
  const page = await home();
  let release = await typeAhead(page, 'typed early');
  release();
  await page.waitForURL(/\/chats\//);
  await ready(page);
  assert.equal(await page.inputValue('#text'), 'typed early');
  await page.locator('.md', { hasText: 'You said: makes the chat' }).waitFor();
  release = await hold(page, '**/messages');
  await page.press('#text', 'Enter');
  await page.keyboard.type('/thinking off');
  await page.press('#text', 'Enter');
  release();
  await page.locator('.notice', { hasText: 'without thinking' }).waitFor();
  await page.locator('.md', { hasText: 'You said: typed early' }).waitFor();
  assert.equal(await page.locator('.turn').count(), 2);
  assert.equal(await page.inputValue('#text'), '');
  await done(page);
});

test('what is typed while the chat\'s page comes goes on from what was typed before', async () => {
  const page = await home();
  const releaseChat = await typeAhead(page, 'typed ');
  const releaseScripts = await hold(page, '**/js/main.js');
  releaseChat();
  await page.waitForURL(/\/chats\//, { waitUntil: 'commit' });
  await page.locator('#messages').waitFor({ state: 'attached' });
  await page.focus('#text');
  await page.keyboard.type('early');
  releaseScripts();
  await ready(page);
  assert.equal(await page.inputValue('#text'), 'typed early');
  await done(page);
});

test('text streams in at most ten updates a second, and closed blocks stay the same', async () => {
  const page = await home();
  await send(page, 'begin');
  await page.evaluate(() => {
    window.begun = performance.now();
    window.updates = 0;
    window.touched = 0;
    document.addEventListener('htmx:after:swap', () => { window.updates += 1; });
    new MutationObserver((changes) => {
      for (const change of changes) {
        const block = change.target.parentElement?.closest('.blocks > p') ??
          (change.target.matches?.('.blocks > p') ? change.target : null);
        if (block) window.touched += 1;
      }
    }).observe(document.getElementById('messages'),
      { childList: true, subtree: true, characterData: true });
  });
  await send(page, 'long 200');
  const { updates, touched, seconds } = await page.evaluate(() => ({ updates: window.updates,
    touched: window.touched, seconds: (performance.now() - window.begun) / 1000 }));
  assert.ok(updates > 5, `only ${updates} updates`);
  // Beside the text's: the answer's end, its title and the context's bar.
  assert.ok(updates <= 10 * seconds + 6, `${updates} updates in ${seconds} s`);
  assert.equal(touched, 0);
  assert.match(await answerText(page), /word200/);
  await done(page);
});

test('Markdown, code and formulas are drawn', async () => {
  const page = await home();
  await send(page, 'markdown');
  const answer = page.locator('.bot');
  assert.equal(await answer.locator('h3').innerText(), 'A heading');
  assert.equal(await answer.locator('td').first().innerText(), 'Q4_K_M');
  await answer.locator('.hljs-keyword').first().waitFor();
  await answer.locator('.katex').first().waitFor();
  await answer.locator('.katex-display').first().waitFor();
  assert.equal(await answer.locator('.katex-display').count(), 1);
  const width = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(width <= 0, 'the page is wider than the window');
  await done(page);
});

// Notes what the page says to those who do not see it; the next thing soon takes its place.
const listen = (page) => page.evaluate(() => {
  window.heard = [];
  const say = document.getElementById('say');
  new MutationObserver(() => window.heard.push(say.textContent)).observe(say, { childList: true });
});
const heard = (page, text) => page.waitForFunction(
  (wanted) => window.heard.some((words) => words.includes(wanted)), text);

test('code and answers are copied as they were written', async () => {
  const page = await home({ permissions: ['clipboard-read', 'clipboard-write'] });
  await send(page, 'markdown');
  await listen(page);
  await page.locator('[data-copy-code]').click();
  const read = () => page.evaluate(() => navigator.clipboard.readText());
  await heard(page, 'Copied');
  assert.match(await read(), /^def merge\(intervals\):\n/);
  await listen(page);
  await page.locator('[data-copy-markdown]').click();
  await heard(page, 'Copied');
  assert.match(await read(), /^## A heading/);
  await done(page);
});

test('code is copied where the page may not write to the clipboard', async () => {
  const page = await openPage(server);
  await page.addInitScript(
    () => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
  await page.goto(server.url);
  await send(page, 'markdown');
  await listen(page);
  await page.locator('[data-copy-code]').click();
  await heard(page, 'Copied');
  await page.focus('#text');
  await page.keyboard.press('Control+v');
  assert.match(await page.inputValue('#text'), /^def merge\(intervals\):\n/);
  await page.evaluate(() => { document.execCommand = () => false; });
  await page.locator('[data-copy-markdown]').click();
  await page.locator('.notice', { hasText: 'Could not copy' }).waitFor();
  await done(page);
});

test('thoughts show in a block that folds when the answer begins', async () => {
  const page = await home();
  await send(page, 'begin');
  await page.evaluate(() => {
    window.unfolded = false; // whether they ever were
    new MutationObserver(() => {
      window.unfolded ||= document.querySelector('.thinking[open]') !== null;
    }).observe(document.getElementById('messages'), { childList: true, subtree: true });
  });
  await send(page, 'think about it');
  const thoughts = page.locator('.thinking').last();
  assert.equal(await page.evaluate(() => window.unfolded), true);
  assert.equal(await thoughts.evaluate((element) => element.open), false);
  assert.match(await thoughts.locator('.thought').textContent(), /question is short/);
  await done(page);
});

test('the status pill says what goes on and opens to the figures', async () => {
  const page = await home();
  await send(page, 'wait', { wait: false });
  const pill = page.locator('.pill').last();
  await page.locator('.pill', { hasText: 'Generating' }).waitFor();
  await pill.locator('summary').click();
  assert.match(await pill.locator('dl').innerText(), /Model/);
  await page.locator('.stop').click();
  await page.locator('.pill', { hasText: 'Stopped' }).waitFor();
  assert.match(await pill.locator('dl').innerText(), /Speed\s+\d+\.\d tokens\/s/);
  assert.match(await pill.locator('dl').innerText(), /80 of them reused/);
  assert.equal(await pill.evaluate((element) => element.open), true);
  await done(page);
});

test('the pill names each phase, and shows how much of the prompt is read', async () => {
  const slow = new PageServer({ pauseMs: 1000 });
  await slow.start();
  const page = await openPage(slow);
  await page.goto(slow.url);
  await send(page, 'begin');
  await page.evaluate(() => {
    window.phases = new Set();
    new MutationObserver(() => {
      const pill = [...document.querySelectorAll('.pill')].at(-1);
      const read = pill.querySelector('progress')?.value ?? '';
      window.phases.add(pill.querySelector('summary').textContent.split('·')[0].trim() + read);
    }).observe(document.getElementById('messages'),
      { childList: true, subtree: true, characterData: true });
  });
  await send(page, 'tool');
  await send(page, 'think', { wait: false });
  await page.waitForFunction(() => window.phases.has('Thinking'));
  await page.click('.stop');
  await page.waitForFunction(() => window.phases.has('Stopped'));
  const phases = await page.evaluate(() => [...window.phases]);
  for (const phase of ['Processing50', 'Using calculator', 'Generating', 'Done']) {
    assert.ok(phases.includes(phase), `${phase} is not among ${phases}`);
  }
  await done(page);
  await slow.close();
});

// Where the conversation is shown from, and how far from its end.
const place = (page) => page.evaluate(() => {
  const { scrollHeight, scrollTop, clientHeight } = document.getElementById('scroll');
  return { top: scrollTop, left: scrollHeight - scrollTop - clientHeight };
});

const atEnd = (page) => page.waitForFunction(() => {
  const { scrollHeight, scrollTop, clientHeight } = document.getElementById('scroll');
  return scrollHeight - scrollTop - clientHeight < 10;
});

// Turns the wheel up where text is being added at the end, and looks that the place where it stops
// stays while more of it comes.
async function staysAfter(page, pixels) {
  await send(page, 'markdown');
  await send(page, 'long 201', { wait: false });
  await page.locator('.md', { hasText: 'word40' }).last().waitFor();
  await atEnd(page);
  await page.evaluate(() => addEventListener('wheel', () => { window.wheeled = true; }));
  await page.mouse.move(700, 400);
  await page.mouse.wheel(0, -pixels);
  await page.waitForFunction(() => window.wheeled);
  let before;
  let now = await place(page);
  do {
    await page.waitForTimeout(300);
    before = now;
    now = await place(page);
  } while (now.top !== before.top);
  await page.locator('.md', { hasText: 'word160' }).waitFor();
  const { top, left } = await place(page);
  assert.equal(top, now.top);
  assert.ok(left >= pixels, `${left} pixels from the end`);
}

test('somebody who has scrolled up stays there, and a button goes to the end', async () => {
  const page = await home();
  await staysAfter(page, 500);
  await page.click('#jump');
  await page.waitForFunction(() => document.getElementById('jump').hidden);
  await atEnd(page);
  await done(page);
});

test('a line up is enough to stay, and scrolling to the end to follow it again', async () => {
  const page = await home();
  await staysAfter(page, 40);
  await page.mouse.wheel(0, 10_000);
  await page.locator('.md', { hasText: 'word201' }).waitFor();
  await atEnd(page);
  await done(page);
});

test('a call of a tool is a card with its input and its result', async () => {
  const page = await home();
  await send(page, 'tool');
  await page.locator('.md', { hasText: '17% of 2,350' }).waitFor();
  await page.locator('.tool summary').click();
  const card = await page.locator('.tool').innerText();
  assert.match(card, /calculator/);
  assert.match(card, /0\.17 \* 2350/);
  assert.match(card, /399\.5/);
  await done(page);
});

test('suggestions fill the input, and only the newest answer has them', async () => {
  const page = await home();
  await send(page, 'one');
  await page.locator('.followups a').first().waitFor();
  assert.equal(await page.locator('.followups a').count(), 3);
  await page.locator('.followups a').first().click();
  assert.equal(await page.inputValue('#text'), 'Tell me more');
  await send(page, 'two');
  await page.waitForFunction(() => document.querySelectorAll('.followups').length === 2);
  assert.equal(await page.locator('.followups:visible').count(), 1);
  await done(page);
});

test('the title comes after the answer, wherever it is shown', async () => {
  const page = await home();
  await send(page, 'a title please');
  await page.locator('#chat-title', { hasText: 'About: You said' }).waitFor();
  assert.match(await page.locator('.chat-row.current .title').innerText(), /About: You said/);
  await page.waitForFunction(() => document.title.startsWith('About: You said'));
  await done(page);
});

test('an answer is stopped with what there is, and goes on', async () => {
  const page = await home();
  await send(page, 'wait', { wait: false });
  await page.locator('.md', { hasText: 'then I wait' }).waitFor();
  await page.press('#text', 'Escape');
  await page.locator('.stopped', { hasText: 'Stopped' }).waitFor();
  assert.match(await answerText(page), /^I begin, and then I wait\./);
  await page.locator('.stopped button').click();
  await page.locator('.md', { hasText: 'and more' }).waitFor();
  assert.match(await answerText(page), /^I begin, and then I wait\./);
  await done(page);
});

test('a failure keeps the text, says what happened, and is tried again', async () => {
  const page = await home();
  await send(page, 'fail');
  await page.locator('.failure', { hasText: 'no token for 30 s' }).waitFor();
  assert.equal(await answerText(page), 'This is half of an ans');
  await page.locator('.failure button').click();
  await page.locator('.branches', { hasText: '2 / 2' }).waitFor();
  assert.equal(await page.locator('.bot').count(), 1);
  await done(page);
});

test('answering again and editing make branches that can be chosen', async () => {
  const page = await home();
  await send(page, 'first question');
  await send(page, 'second question');
  await page.locator('.bot').first().locator('button[aria-label="Answer again"]').click();
  await page.locator('.bot .branches', { hasText: '2 / 2' }).waitFor();
  assert.equal(await page.locator('.turn').count(), 1);
  await page.locator('.bot button[aria-label="Previous version"]').click();
  await page.locator('.bubble', { hasText: 'second question' }).waitFor();
  await page.locator('.user').first().hover();
  await page.locator('.user').first().locator('a[aria-label="Edit this message"]').click();
  await page.fill('.edit-form textarea', 'changed question');
  await page.press('.edit-form textarea', 'Enter');
  await page.locator('.md', { hasText: 'You said: changed question' }).waitFor();
  await page.waitForFunction(() => !document.querySelector('#messages .busy'));
  assert.equal(await page.locator('.turn').count(), 1);
  assert.match(await page.locator('.user .branches').innerText(), /2 \/ 2/);
  await page.reload();
  assert.equal(await answerText(page), 'You said: changed question');
  await done(page);
});

test('another version is not chosen while an answer is written', async () => {
  const page = await home();
  await send(page, 'a question');
  await page.locator('.bot button[aria-label="Answer again"]').click();
  await page.locator('.bot .branches', { hasText: '2 / 2' }).waitFor();
  await page.waitForFunction(() => !document.querySelector('#messages .busy'));
  await send(page, 'wait', { wait: false });
  await page.locator('.md', { hasText: 'then I wait' }).waitFor();
  await page.locator('.bot').first().locator('button[aria-label="Previous version"]').click();
  await page.locator('.notice', { hasText: 'An answer is being written' }).waitFor();
  assert.equal(await page.locator('.turn').count(), 2);
  await page.press('#text', 'Escape');
  await page.locator('.stopped', { hasText: 'Stopped' }).waitFor();
  await page.locator('.bot').first().locator('button[aria-label="Previous version"]').click();
  await page.waitForFunction(() => document.querySelectorAll('.turn').length === 1);
  await done(page);
});

// Hides the page as another tab does, or shows it again.
const setHidden = (page, hidden) => page.evaluate((value) => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
  document.dispatchEvent(new Event('visibilitychange'));
}, hidden);

// A server with a chat of many turns, and the page that shows its end.
async function longChat(turns) {
  const texts = Array.from({ length: 2 * turns }, (_, index) => `message ${index + 1}`);
  const own = new PageServer({ chats: [chatOf('Long', texts)] });
  await own.start();
  const page = await openHome(own);
  await page.locator('.chat-row a', { hasText: 'Long' }).click();
  await page.waitForURL(/\/chats\//);
  await ready(page);
  return { own, page };
}

test('earlier messages come above what is read, which stays where it is', async () => {
  const { own, page } = await longChat(40);
  const link = page.locator('#earlier a');
  await link.scrollIntoViewIfNeeded();
  const top = () => page.locator('#t-21').evaluate(
    (element) => element.getBoundingClientRect().top);
  const before = await top();
  await link.click();
  await page.locator('#t-1').waitFor({ state: 'attached' });
  assert.ok(Math.abs(await top() - before) < 2, `${before} became ${await top()}`);
  await done(page);
  await own.close();
});

test('a tab that comes back has all that it had, and what came meanwhile', async () => {
  const { own, page } = await longChat(40);
  await page.locator('#earlier a').click();
  await page.locator('#t-1').waitFor({ state: 'attached' });
  const last = page.locator('.user').last();
  await last.hover();
  await last.locator('a[aria-label="Edit this message"]').click();
  await page.fill('.edit-form textarea', 'half an edit');
  const comeBack = async () => {
    const again = page.waitForResponse(/\/stream\?/);
    await setHidden(page, false);
    await again;
    await page.waitForTimeout(300);
  };
  await setHidden(page, true);
  await comeBack();
  await page.locator('#link-state:empty').waitFor({ state: 'attached' });
  assert.equal(await page.locator('.turn').count(), 40);
  assert.equal(await page.inputValue('.edit-form textarea'), 'half an edit');
  await setHidden(page, true);
  const other = await page.context().newPage();
  await other.goto(page.url());
  await send(other, 'from elsewhere');
  await comeBack();
  await page.locator('.md', { hasText: 'You said: from elsewhere' }).waitFor();
  assert.equal(await page.locator('.turn').count(), 41);
  assert.equal(await page.inputValue('.edit-form textarea'), 'half an edit');
  await done(page);
  await own.close();
});

test('two tabs show the same conversation as it goes', async () => {
  const page = await home();
  await send(page, 'one');
  const other = await page.context().newPage();
  other.faults = watchFaults(other, server);
  await other.goto(page.url());
  await send(page, 'seen by both');
  await other.locator('.md', { hasText: 'You said: seen by both' }).waitFor();
  await send(other, 'and back', { wait: true });
  await page.locator('.md', { hasText: 'You said: and back' }).waitFor();
  assert.equal(await page.locator('.turn').count(), 3);
  assert.equal(await other.locator('.turn').count(), 3);
  assert.deepEqual(other.faults, []);
  await done(page);
});

test('after the server is killed in mid-answer the page goes on by itself', async () => {
  const page = await home();
  await send(page, 'begin');
  await send(page, 'long 250', { wait: false });
  await page.locator('.md', { hasText: 'word60' }).waitFor();
  await server.kill();
  await page.locator('#link-state', { hasText: 'Trying again' }).waitFor();
  const again = page.waitForRequest((request) => request.url().includes('/stream') &&
    request.headers()['last-event-id'] !== undefined);
  await server.start();
  await again;
  await page.locator('.md', { hasText: 'word250' }).waitFor();
  const text = await answerText(page);
  const words = text.split(/\s+/).map((word) => word.replace('.', ''));
  assert.deepEqual(words, Array.from({ length: 250 }, (_, index) => `word${index + 1}`));
  await page.waitForFunction(() => !document.querySelector('#link-state').childElementCount);
  await done(page);
});

test('after three tries there is a button to connect again', async () => {
  const page = await home();
  await send(page, 'begin');
  await server.kill();
  const button = page.locator('#link-state button');
  await button.waitFor();
  await server.start();
  await button.click();
  await page.waitForFunction(() => !document.querySelector('#link-state').childElementCount);
  await send(page, 'are you back?');
  assert.equal(await answerText(page), 'You said: are you back?');
  await done(page);
});

test('a page that is connected again shows that its answer has ended', async () => {
  const slow = new PageServer({ pauseMs: 1000 }); // the continued answer takes four of these
  await slow.start();
  const page = await openHome(slow);
  await send(page, 'wait', { wait: false });
  await page.locator('.md', { hasText: 'then I wait' }).waitFor();
  await page.press('#text', 'Escape');
  await page.locator('.stopped button').waitFor();
  await page.reload();
  await page.locator('.stopped button').click();
  await page.locator('#messages .busy').waitFor();
  await slow.kill();
  const button = page.locator('#link-state button');
  await button.waitFor();
  await slow.start();
  const stored = async () => (await page.request.get(page.url())).text();
  while ((await stored()).includes('class="busy"')) await page.waitForTimeout(200);
  assert.equal(await page.locator('#messages .busy').count(), 1);
  await button.click();
  await page.waitForFunction(() => !document.querySelector('#messages .busy'));
  await done(page);
  await slow.close();
});

test('a page that is opened while the model loads is told of answers all the same', async () => {
  const own = new PageServer({ loading: true, chats: [chatOf('Early', ['hello', 'hi'])] });
  await own.start();
  const page = await openHome(own);
  await page.locator('.chat-row a', { hasText: 'Early' }).click();
  await page.waitForURL(/\/chats\//);
  await ready(page);
  await page.locator('.dot.loading').waitFor();
  own.finishLoading();
  await page.locator('.dot.ready').waitFor();
  assert.equal(await page.locator('#link-state').innerText(), '');
  await send(page, 'are you there?');
  assert.equal(await answerText(page), 'You said: are you there?');
  await done(page);
  await own.close();
});

test('without scripts a message is sent and its answer read', async () => {
  const page = await home({ javaScriptEnabled: false });
  await page.fill('#text', 'no scripts here');
  await page.click('.send');
  await page.waitForURL(/\/chats\//);
  const over = page.locator('.bot .pill', { hasText: 'Done' });
  for (const end = Date.now() + 90_000; Date.now() < end && !await over.count();) {
    await page.waitForTimeout(200);
    await page.reload();
  }
  assert.match(await page.locator('.bot .md').innerText(), /You said: no scripts here/);
  await page.fill('#text', '/frobnicate');
  await page.click('.send');
  await page.locator('#said', { hasText: 'no command /frobnicate' }).waitFor();
  assert.equal(await page.inputValue('#text'), '/frobnicate');
  await done(page);
});
